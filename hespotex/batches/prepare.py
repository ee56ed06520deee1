"""From the sections of a data set to a fold: what is fitted sees the training sections, one by
one.
"""

import logging
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace

from hespotex.batches.fold import Fold, PreparedSection, Recipe, section_ids
from hespotex.common.files import safe_name
from hespotex.common.progress import progress
from hespotex.embeddings.embed import embed_section, fill
from hespotex.embeddings.levels import TrainingScale
from hespotex.genes.noise_ceiling import noise_ceiling
from hespotex.genes.panel import GenePanel, PanelRule
from hespotex.genes.sets import GeneSets
from hespotex.sections.duplicates import duplicate_leaks
from hespotex.sections.naming import check_names, log_overlap
from hespotex.sections.section import Section, library_size, section_facts
from hespotex.sections.sections import Sections
from hespotex.splits.split import Split

log = logging.getLogger(__name__)


def prepare_fold(sections: Sections, split: Split, recipe: Recipe) -> Fold:
    """Embed the sections of the split, fit panel and targets on those that train, and make graphs
    of all.

    Counts are read section by section: no more of them are in memory than `sections` keeps.

    Args:
        sections: of the data set.
        split: of them; a section that tests as the tissue of one that trains was refused before,
          see `label_duplicates`.
        recipe: how sections become what a model is given.
    """
    names = gene_names(sections, section_ids(split))
    check_names(names)  # before hours of encoding
    embed_sections(sections, split, recipe)
    log_overlap(names, split.train)
    panel = fit_panel(sections, split, recipe.panel)
    training = sections.of(sorted(split.train))
    recipe.expression.fit(training, panel)
    gene_sets = GeneSets.fit(training, panel, recipe.panel.markers, recipe.panel.measured_in)
    recipe = replace(recipe, training=training_scale(sections, split, recipe))
    prepared = prepare_sections(sections, split, panel, recipe)
    table = sample_table(sections)
    fold = Fold(split, sections.keys, prepared, panel, gene_sets, recipe, sample_table=table)
    log.info("fold %d: %d genes; %s", split.index, len(panel.genes), fold.sizes())
    return fold.of_training()


def label_duplicates(sections: Sections, split: Split, allow_leak: bool) -> Split:
    """The split, labelled with every test section that is the tissue of another one under a new
    name.

    Raises:
        InputError: there is one, and leaks were not asked for.
    """
    rest = [i for i in section_ids(split) if i not in split.test]
    leaks = duplicate_leaks(sections.of(split.test), sections.of(rest), allow_leak)
    return replace(split, leaks=[*split.leaks, *leaks])


def embed_sections(sections: Sections, split: Split, recipe: Recipe) -> None:
    """Fill the store: the only place where images are read and encoders run."""
    for section_id in progress(section_ids(split), "section", "sections"):
        views = recipe.views(section_id in split.train)
        fill(sections[section_id], recipe.encoder, recipe.nuclei, recipe.store, views)


def training_scale(sections: Sections, split: Split, recipe: Recipe) -> TrainingScale:
    """What the embeddings of the training sections are like; see `TrainingScale`."""
    training = {i: sections[i].without_counts() for i in sorted(split.train)}
    rows = {i: embed_section(one, recipe.encoder, recipe.store) for i, one in training.items()}
    pos = {i: one.pos for i, one in training.items()}
    return TrainingScale.fit(rows, pos, {i: one.key.group for i, one in training.items()})


def gene_names(sections: Sections, ids: Sequence[str]) -> dict[str, list[str]]:
    """The genes that each of these sections measured, by its id; equal lists are one object, and
    equal names one text.
    """
    lists: dict[tuple[str, ...], list[str]] = {}
    found: dict[str, list[str]] = {}
    for section_id in ids:
        own = tuple(sys.intern(str(name)) for name in sections[section_id].adata.var_names)
        found[section_id] = lists.setdefault(own, list(own))
    return found


def fit_panel(sections: Sections, split: Split, rule: PanelRule) -> GenePanel:
    """The genes that the rule picks: on the training sections, unless it says that it sees all."""
    seen = section_ids(split) if rule.sees_all_sections else split.train
    return rule.fit(sections.of(sorted(seen)))


def prepare_sections(
    sections: Sections, split: Split, panel: GenePanel, recipe: Recipe
) -> Mapping[str, PreparedSection]:
    """Every section of the split, by id; the counts of genes beyond the panel are let go, and where
    the counts of the data set did not fit in memory, targets go to the store.
    """
    prepared = {}
    for section_id in section_ids(split):
        sides = section_id in split.train, section_id in split.test
        own = prepare_section(sections[section_id], panel, recipe, *sides)
        if sections.overflows:
            own.target.move_to(recipe.store.root / safe_name(section_id))
        prepared[section_id] = own
    return prepared


def prepare_section(
    section: Section, panel: GenePanel, recipe: Recipe, trains: bool, tests: bool
) -> PreparedSection:
    """One section; turned and mirrored patches are for those that train, the ceiling for those that
    test.
    """
    graph = recipe.graph(section, trains)
    target = recipe.expression(section, panel)
    graph.target = target
    depth = library_size(section.adata.X)
    ceiling = noise_ceiling(section, panel, recipe.expression) if tests else None
    facts = section_facts(section)
    return PreparedSection(section.without_counts(), graph, target, facts, depth, ceiling)


def sample_table(sections: Sections) -> str | None:
    """Fingerprint of the reader's table of samples: HEST-1k's patient labels change between
    versions.
    """
    fingerprint: str | None = getattr(sections.reader, "table_fingerprint", None)
    return fingerprint
