"""The sections of another data set, as test sections of a model that was trained elsewhere: nothing
is fitted.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hespotex.batches.fold import Fold, Recipe
from hespotex.batches.prepare import gene_names, prepare_sections, sample_table
from hespotex.common.errors import InputError
from hespotex.common.failures import Failures
from hespotex.common.files import file_fingerprint
from hespotex.common.progress import progress
from hespotex.embeddings.embed import fill
from hespotex.genes.expression import Expression
from hespotex.genes.panel import GenePanel
from hespotex.genes.sets import GeneSets
from hespotex.genes.target import Target
from hespotex.sections.duplicates import known_pair
from hespotex.sections.naming import check_names
from hespotex.sections.section import Section, one_area, section_facts, spots_area
from hespotex.sections.sections import Sections
from hespotex.splits.split import Split

log = logging.getLogger(__name__)
PITCH = 0.05  # share by which the distance of spots may differ without a word


@dataclass(frozen=True)
class Training:
    """What a checkpoint tells of its training.

    Attributes:
        facts: `section_facts` of every section that the model has seen, by id; empty where unknown.
        same_data: it was trained in the very same folder: equal ids and groups are one section, one
          patient.
        pitch_um: distance of spots.
        genes: of the model, in its order.
        gene_sets: subsets of them, as chosen in training.
    """

    facts: Mapping[str, dict[str, Any]]
    same_data: bool
    pitch_um: float
    genes: list[str]
    gene_sets: GeneSets

    def saw(self, section_id: str, here: dict[str, Any]) -> list[str]:
        """In words, how the model has seen the section of these facts: at most one reason."""
        for other, facts in self.facts.items():
            # an older checkpoint knows the name only
            if other == section_id and (self.same_data or not facts):
                return [f"{section_id} was seen in training"]
            if reason := _same_tissue(section_id, here, other, facts):
                return [
                    f"{section_id} is the tissue of {other}, which was seen in training ({reason})"
                ]
            if self.same_data and facts.get("group") == here["group"]:
                return [f"{section_id} is of {here['group']}, of whom {other} was seen in training"]
        return []


class FittedExpression:
    """A target with what was fitted elsewhere, for some of its genes.

    Args:
        target: restored from a checkpoint.
        genes: of that checkpoint, in its order.
    """

    def __init__(self, target: Expression, genes: list[str]) -> None:
        self.target = target
        self.genes = genes
        self.unit = target.unit
        self.lowest = target.lowest
        self.fitted_on = target.fitted_on

    def fit(self, sections: Sequence[Section], panel: GenePanel) -> None:
        """Nothing: that is the point."""

    def state(self) -> dict[str, Any]:
        """What was fitted elsewhere, unchanged."""
        return self.target.state()

    def restore(self, state: dict[str, Any], fitted_on: list[str]) -> None:
        """Hand it to the target that holds it."""
        self.target.restore(state, fitted_on)

    def __call__(self, section: Section, panel: GenePanel) -> Target:
        """Expression (n_spots, n_genes) of the panel's genes, which may be some of the model's."""
        place = {gene: i for i, gene in enumerate(self.genes)}
        columns = np.array([place[gene] for gene in panel.genes], dtype=np.int64)
        return self.target(section, GenePanel(self.genes, [])).select(columns)


def prepare_external(
    sections: Sections, training: Training, recipe: Recipe, allow_leak: bool, failures: Failures
) -> Fold:
    """All sections of a data set as test sections, for the model's genes that some section
    measured.

    Args:
        sections: of the data set.
        training: of the model.
        recipe: of the model; its expression is a `FittedExpression`.
        allow_leak: accept sections that the model has seen, and label them.
        failures: takes the sections that cannot be read or embedded; the others are scored.

    Raises:
        InputError: the model has seen a section, its patient or its tissue; no genes in common; or
          no section is left.
    """
    sections.call_as(training.genes)
    facts: dict[str, dict[str, Any]] = {}
    ids = without_failed(
        list(sections.keys), failures, lambda i: facts.update({i: section_facts(sections[i])})
    )
    leaks = seen_in_training({i: facts[i] for i in ids}, training, allow_leak)
    parts = (recipe.encoder, recipe.nuclei, recipe.store)
    ids = without_failed(ids, failures, lambda i: fill(sections[i], *parts))
    split = Split(0, 1, [], [], ids, leaks)
    names = gene_names(sections, ids)
    check_names(names)
    panel = measured_panel(training.genes, names)
    prepared = prepare_sections(sections, split, panel, recipe)
    table = sample_table(sections)
    fold = Fold(
        split, sections.keys, prepared, panel, training.gene_sets, recipe, sample_table=table
    )
    log.info("%d genes; %s", len(panel.genes), fold.sizes())
    return fold


def without_failed(
    ids: Sequence[str], failures: Failures, step: Callable[[str], object]
) -> list[str]:
    """Take the step for each section, and give those for which it did not fail.

    Raises:
        InputError: none is left.
    """
    for section_id in progress(ids, "section", "sections"):
        with failures.of(section_id):
            step(section_id)
    left = [i for i in ids if i not in failures.found]
    if not left:
        failures.check()
    return left


def seen_in_training(
    facts: Mapping[str, dict[str, Any]], training: Training, allow_leak: bool
) -> list[str]:
    """In words, which sections the model has seen.

    Raises:
        InputError: there is one, and leaks were not asked for.
    """
    leaks = [leak for section_id, here in facts.items() for leak in training.saw(section_id, here)]
    if leaks and not allow_leak:
        raise InputError(
            f"{'; '.join(leaks)}. Leave these sections out (data.reader.sections), or set"
            " allow_leak=true to score them all the same, labelled"
        )
    return leaks


def measured_panel(genes: Sequence[str], names: Mapping[str, Sequence[str]]) -> GenePanel:
    """The model's genes that some section measured; tells what is missing.

    Args:
        genes: of the model.
        names: genes of each section, by its id.
    """
    measured = {section_id: set(known) for section_id, known in names.items()}
    there = [gene for gene in genes if any(gene in known for known in measured.values())]
    if len(there) < 2:
        example = list(next(iter(names.values())))[:3]
        raise InputError(
            f"of the model's {len(genes)} genes (such as {list(genes[:3])}) the sections measured"
            f" {len(there)} (they have {example}, ...); are these names of another kind? Translate"
            " them with data.genes.aliases=FILE.csv"
        )
    for section_id, known in measured.items():
        missing = [gene for gene in genes if gene not in known]
        shown = f": {', '.join(missing[:5])}{' ...' if len(missing) > 5 else ''}" if missing else ""
        log.info(
            "%s: %d of the model's %d genes are missing%s",
            section_id,
            len(missing),
            len(genes),
            shown,
        )
    return GenePanel(there, [])


def missing_genes(fold: Fold, genes: Sequence[str]) -> dict[str, list[str]]:
    """The model's genes that a section did not measure, by section."""
    missing = {}
    for section_id, known in fold.sections.items():
        there = {
            gene for gene, has in zip(fold.panel.genes, known.target.known, strict=True) if has
        }
        missing[section_id] = [gene for gene in genes if gene not in there]
    return missing


def remarks(fold: Fold, training: Training) -> list[str]:
    """What differs from training and is not put right, or cannot be known."""
    trained = {facts["group"] for facts in training.facts.values() if facts}
    named = sorted({fold.group(i) for i in fold.section_ids} & trained)
    found = (
        [f"training had groups of the same name ({', '.join(named)}): the same patients?"]
        if named
        else []
    )
    for known in fold.sections.values():
        pitch = known.section.pitch_um
        ratio = pitch / training.pitch_um
        if abs(ratio - 1) > PITCH:
            found.append(
                f"{known.section.section_id}: spots are {pitch:g} um apart, {training.pitch_um:g}"
                " um in training: patches keep their size in um, but the graph's neighbours are"
                f" {ratio:.2g} times as far away"
            )
    return found


def trained_on(section: Section, facts: Mapping[str, dict[str, Any]]) -> str | None:
    """In words, how a model has seen the tissue of a slide without counts; None where it has not.

    Args:
        facts: `section_facts` of every section that the model has seen, by id; empty where unknown.
    """
    # no counts: they are equal to those of no section
    here = {
        "image": file_fingerprint(section.pixels),
        "counts": "",
        "area_px": spots_area(section),
    }
    for other, known in facts.items():
        reason = _same_tissue(section.section_id, here, other, known)
        if not known and other == section.section_id:
            reason = "by its name"
        if reason:
            return f"the model was trained on this slide, as section {other} ({reason})"
    return None


def _same_tissue(
    section_id: str, here: dict[str, Any], other: str, facts: dict[str, Any]
) -> str | None:
    """Why the two are one tissue: an equal file, or a pair that is known from HEST-1k."""
    # else two pieces of tissue on one scan
    same_area = one_area(facts.get("area_px"), here["area_px"])
    if same_area and facts.get("image") == here["image"]:
        return "image file"
    if facts.get("counts") == here["counts"]:
        return "counts"
    pair = known_pair(section_id, other)
    return pair.reason if pair else None
