"""The sections of another data set, as test sections of a model that was trained elsewhere: nothing is fitted."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from hespotex.data.datamodule import SectionDataModule
from hespotex.data.duplicates import known_pair
from hespotex.data.embed import fill
from hespotex.data.expression import Expression
from hespotex.data.folds import FoldStrategy, section_ids
from hespotex.data.gene_list import GeneList
from hespotex.data.gene_sets import GeneSets
from hespotex.data.genes import GenePanel
from hespotex.data.section import Section, SectionKey, one_area, section_facts
from hespotex.data.split import Split
from hespotex.data.target import Target
from hespotex.errors import InputError
from hespotex.failures import Failures
from hespotex.progress import progress

log = logging.getLogger(__name__)
PITCH = 0.05  # share by which the distance of spots may differ without a word


@dataclass(frozen=True)
class AllTest(FoldStrategy):
    """Every section tests; none trains."""

    def split(self, keys: Sequence[SectionKey]) -> Split:
        return Split(0, 1, [], [], section_ids(keys))


class FittedExpression:
    """A target with what was fitted elsewhere, for some of its genes.

    Args:
        target: restored from a checkpoint.
        genes: of that checkpoint, in its order.
    """

    def __init__(self, target: Expression, genes: list[str]) -> None:
        self.target, self.genes = target, genes
        self.unit, self.lowest, self.fitted_on = target.unit, target.lowest, target.fitted_on

    def fit(self, sections: Sequence[Section], panel: GenePanel) -> None:
        """Nothing: that is the point."""

    def state(self) -> dict[str, Any]:
        return self.target.state()

    def restore(self, state: dict[str, Any], fitted_on: list[str]) -> None:
        self.target.restore(state, fitted_on)

    def __call__(self, section: Section, panel: GenePanel) -> Target:
        place = {gene: i for i, gene in enumerate(self.genes)}
        columns = np.array([place[gene] for gene in panel.genes], dtype=np.int64)
        return self.target(section, GenePanel(self.genes, [])).select(columns)


class ExternalDataModule(SectionDataModule):
    """Serves all sections of a data set for testing.

    Args:
        trained: facts (`section_facts`) of every section that the model has seen, by id; empty facts where unknown.
        same_data: the model was trained in the very same folder, so equal ids and groups are one section, one patient.
        pitch_um: distance of spots in training.
        panel: the model's genes.
        gene_sets: subsets of them, as chosen in training.
        failures: takes the sections that fail.
        **parts: see `SectionDataModule`; `fold` is `AllTest`.
    """

    def __init__(
        self,
        trained: Mapping[str, dict[str, Any]],
        same_data: bool,
        pitch_um: float,
        panel: GeneList,
        gene_sets: GeneSets,
        failures: Failures | None = None,
        **parts: Any,
    ) -> None:
        super().__init__(panel=panel, **parts)
        self.gene_sets = gene_sets
        self.trained, self.same_data, self.pitch_um, self.wanted = trained, same_data, pitch_um, panel.listed()
        self.missing: dict[str, list[str]] = {}
        self.failures = failures or Failures("section")

    def prepare_data(self) -> None:
        """Read and embed section by section: one that fails is written down, and the others are scored."""
        self.without_failed(lambda section_id: section_facts(self.source[section_id]))
        self._check_duplicates()
        parts = (self.encoder, self.nuclei, self.store)
        self.without_failed(lambda section_id: fill(self.source[section_id], *parts))

    def without_failed(self, step: Callable[[str], object]) -> None:
        """Take the step for each section; those that fail are no longer of the split.

        Raises:
            InputError: none is left.
        """
        for section_id in progress(self.split.test, "section", "sections"):
            with self.failures.of(section_id):
                step(section_id)
        left = [i for i in self.split.test if i not in self.failures.found]
        if not left:
            self.failures.check()
        self.split = replace(self.split, test=left)

    def fit(self, sections: dict[str, Section]) -> None:
        """The model's genes that some section measured; tells what is missing."""
        wanted = self.wanted
        measured = {i: {str(name) for name in section.adata.var_names} for i, section in sections.items()}
        self.missing = {i: [gene for gene in wanted if gene not in own] for i, own in measured.items()}
        there = [gene for gene in wanted if any(gene in own for own in measured.values())]
        if len(there) < 2:
            example = next(iter(sections.values())).adata.var_names[:3].tolist()
            raise InputError(
                f"of the model's {len(wanted)} genes (such as {wanted[:3]}) the sections measured {len(there)} (they have "
                f"{example}, ...); are these names of another kind? Translate them with data.genes.aliases=FILE.csv"
            )
        self.panel = GenePanel(there, [])
        for section_id, genes in self.missing.items():
            shown = f": {', '.join(genes[:5])}{' ...' if len(genes) > 5 else ''}" if genes else ""
            log.info("%s: %d of the model's %d genes are missing%s", section_id, len(genes), len(wanted), shown)

    def _log_overlap(self, names: Mapping[str, Sequence[str]]) -> None:
        """There are no training sections here to share genes with; `fit` counts what is missing."""

    def _check_duplicates(self) -> None:
        """Once, before anything is embedded: no section is one that the model has seen, nor of its patient or tissue."""
        if self.compared:
            return
        self.compared = True
        leaks = [leak for section_id in self.split.test for leak in self._seen(section_id)]
        if leaks and not self.allow_leak:
            raise InputError(
                f"{'; '.join(leaks)}. Leave these sections out (data.reader.sections), or set allow_leak=true to score them "
                "all the same, labelled"
            )
        self.split = replace(self.split, leaks=leaks)

    def _seen(self, section_id: str) -> list[str]:
        """In words, how the model has seen this section."""
        own = section_facts(self.source[section_id])
        for other, facts in self.trained.items():
            same = [f"{name} file" if name == "image" else name for name in ("image", "counts") if facts.get(name) == own[name]]
            if not one_area(facts.get("area_px"), own["area_px"]):  # two pieces of tissue on one scan
                same = [name for name in same if name != "image file"]
            if other == section_id and (self.same_data or not facts):  # an older checkpoint knows the name only
                return [f"{section_id} was seen in training"]
            if pair := known_pair(section_id, other):
                same.append(pair.reason)
            if same:
                return [f"{section_id} is the tissue of {other}, which was seen in training ({same[0]})"]
            if self.same_data and facts.get("group") == own["group"]:
                return [f"{section_id} is of {own['group']}, of whom {other} was seen in training"]
        return []

    def remarks(self) -> list[str]:
        """What differs from training and is not put right, or cannot be known."""
        groups = {facts["group"] for facts in self.trained.values() if facts}
        named = sorted({self.keys[i].group for i in self.sections} & groups)
        found = [f"training had groups of the same name ({', '.join(named)}): the same patients?"] if named else []
        for section in self.sections.values():
            ratio = section.pitch_um / self.pitch_um
            if abs(ratio - 1) > PITCH:
                found.append(
                    f"{section.section_id}: spots are {section.pitch_um:g} um apart, {self.pitch_um:g} um in training: patches "
                    f"keep their size in um, but the graph's neighbours are {ratio:.2g} times as far away"
                )
        return found
