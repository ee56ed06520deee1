"""What a model gets wrong on its training sections: the prior of what measured spots put right."""

import logging
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from hespotex.batches.fold import Fold
from hespotex.common.progress import progress
from hespotex.kriging import MeasuredSpots, Prior, Settings, learn
from hespotex.modules.base import ExpressionModule
from hespotex.nn.committee import part_names
from hespotex.records.build import Config, build_module

log = logging.getLogger(__name__)


def learn_prior(config: Config, module: ExpressionModule, fold: Fold, settings: Settings) -> Prior:
    """The prior of this fold, from its training sections alone.

    Of models in closed form each group is left out in turn (each section, where there is one
    group), and predicted by a model of the same config fitted on the others. Of a single section,
    and of models that take epochs, the model's own predictions of what it has seen are taken, which
    are too good: their prior trusts the measured spots less.
    """
    groups = part_names({i: fold.group(i) for i in fold.split.train})
    if groups is None or module.automatic_optimization:
        log.info("prior of the errors: from the training sections as the model has seen them")
        seen = fold.loader(fold.split.train, module.n_hops)
        predicted = module.predict(seen)
    else:
        predicted = dict(_left_out(config, fold, groups))
    sections = [_spots(fold, i, values) for i, values in predicted.items()]
    return learn(sections, fold.gene_scaling[1].double().numpy(), settings)


def _left_out(config: Config, fold: Fold, groups: dict[str, str]) -> Iterator[tuple[str, Tensor]]:
    """Each training section as the others predict it, (n_spots, n_genes); the mean where none of
    them measured a gene.
    """
    mean = fold.gene_scaling[0]
    for group in progress(sorted(set(groups.values())), "left-out group", "prior of the errors"):
        others = fold.leaving_out([i for i in groups if groups[i] == group])
        places = np.flatnonzero(others.measured_in(others.split.train)["sections"])
        subset = others.of_genes(places, others.split.train)
        module = build_module(config, subset.widths())
        module.fit(subset)
        loader = subset.loader(subset.split.test, module.n_hops)
        for section_id, values in module.eval().predict(loader).items():
            whole = mean.to(values).repeat(len(values), 1)
            whole[:, torch.from_numpy(places)] = values
            yield section_id, whole


def _spots(fold: Fold, section_id: str, predicted: Tensor) -> MeasuredSpots:
    """All spots of a section; a gene that it did not measure has no error there."""
    prepared = fold.sections[section_id]
    image = predicted.double().numpy()
    measured = prepared.target.dense().double().numpy()
    expression = np.where(prepared.target.known, measured, image)
    return MeasuredSpots(prepared.section.pos, expression, prepared.depth, image)
