"""Training groups that are left out in turn, and predicted by a model that the others fitted."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from hespotex.batches.fold import Fold
from hespotex.common.progress import progress
from hespotex.records.build import Config, build_module


@dataclass(frozen=True)
class LeftOut:
    """A training section, predicted by a model that has seen nothing of its group.

    Attributes:
        group: that was left out.
        section_id: of the section.
        genes: numbers in the panel of those that the other groups measured, (n_known,).
        predicted: expression of these genes, (n_spots, n_known).
        measured: the same, (n_spots, n_known); NaN for a gene that this section did not measure.
    """

    group: str
    section_id: str
    genes: NDArray[np.int64]
    predicted: Tensor
    measured: Tensor


def leave_out(
    config: Config, fold: Fold, groups: Mapping[str, str], what: str
) -> Iterator[LeftOut]:
    """Every training section, group by group; a model of the same config is fitted for each group.

    Args:
        config: resolved; its model is fitted in closed form.
        fold: whose training sections these are. No test section has a part in it.
        groups: of each training section, two or more, see `part_names`.
        what: it is done for, in the log.
    """
    for group in progress(sorted(set(groups.values())), "left-out group", what):
        ids = [section_id for section_id, own in groups.items() if own == group]
        yield from _predicted(config, fold.leaving_out(ids), group)


def _predicted(config: Config, fold: Fold, group: str) -> Iterator[LeftOut]:
    """Each test section, by a model that the training sections fitted."""
    genes = np.flatnonzero(fold.measured_in(fold.split.train)["sections"])
    subset = fold.of_genes(genes, fold.split.train)
    module = build_module(config, subset.widths())
    module.fit(subset)
    module.eval()
    for section_id in subset.split.test:
        loader = subset.loader([section_id], module.n_hops)
        predicted = module.predict(loader)[section_id]
        measured = subset.sections[section_id].target.dense()
        yield LeftOut(group, section_id, genes, predicted, measured)
