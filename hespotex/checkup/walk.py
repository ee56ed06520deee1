"""The check-up of a data set, from the config that training would get."""

import logging
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from hespotex.batches.fold import Recipe, section_ids
from hespotex.batches.prepare import fit_panel, label_duplicates
from hespotex.checkup.costs import Costs, check_disk, check_memory, describe, estimate
from hespotex.checkup.findings import Findings
from hespotex.checkup.folds import check_folds
from hespotex.checkup.probed import probe_stored
from hespotex.checkup.sections import HEADER, SectionCheck
from hespotex.common.counted import counted
from hespotex.common.progress import progress_bar
from hespotex.embeddings.probe import unless_it_fails
from hespotex.genes.candidates import ALL, MEASURED_IN
from hespotex.genes.panel import PanelRule
from hespotex.records.build import (
    Config,
    build,
    build_module,
    build_recipe,
    build_sections,
    resolved,
)
from hespotex.results.read_off import MEANING, in_words
from hespotex.results.tables.markdown import markdown
from hespotex.sections.naming import check_names, naming, species
from hespotex.sections.section import Section, SectionKey
from hespotex.sections.sections import Sections
from hespotex.splits.split import Split
from hespotex.splits.strategies import FoldStrategy

log = logging.getLogger(__name__)
FEW_SHARED = 0.5  # of all genes that were measured: below, many are lost to the panel


def check_up(cfg: DictConfig) -> Findings:
    """Walk through the data set, log what is there, draw the overlays; returns the problems."""
    config = resolved(cfg)
    findings = Findings()
    folder = Path(HydraConfig.get().runtime.output_dir) if config["overlays"] else None
    sections = findings.attempt(lambda: build_sections(config))
    fold = findings.attempt(lambda: build(config["fold"]))
    recipe = findings.attempt(lambda: build_recipe(config))
    if sections and fold and recipe and not findings.problems:
        Walk(config, sections, fold, recipe, findings, folder)()
    return findings


class SoundSections(Mapping[str, Section]):
    """The sections that passed the check, by id, each read when it is looked at.

    Args:
        sections: of the data set.
        section_ids: of the sound ones.
    """

    def __init__(self, sections: Sections, section_ids: Sequence[str]) -> None:
        self.sections = sections
        self.section_ids = section_ids

    def __getitem__(self, section_id: str) -> Section:
        if section_id not in self.section_ids:
            raise KeyError(section_id)
        return self.sections[section_id]

    def __iter__(self) -> Iterator[str]:
        return iter(self.section_ids)

    def __len__(self) -> int:
        return len(self.section_ids)


class Walk:
    """One walk; every step adds to the findings and logs what it saw.

    Args:
        config: as for training.
        sections: of the data set.
        fold: the strategy that splits them.
        recipe: as training gets it.
        findings: problems and notes.
        folder: for the overlays; None for none.
    """

    def __init__(
        self,
        config: Config,
        sections: Sections,
        fold: FoldStrategy,
        recipe: Recipe,
        findings: Findings,
        folder: Path | None,
    ) -> None:
        self.config = config
        self.data = sections
        self.fold = fold
        self.recipe = recipe
        self.findings = findings
        self.folder = folder

    def __call__(self) -> None:
        """Go through sections, folds, genes, costs and model; what needs a step that failed is left
        out.
        """
        keys = list(self.data.keys.values())
        names = self._sections(keys)
        sections = SoundSections(self.data, list(names))
        splits, overview = check_folds(
            self.fold, keys, self.config["model"]["select_on"], self.findings
        )
        log.info("\n%s", overview)
        self.findings.attempt(lambda: check_names(names))
        if self.config["data"]["detect_duplicates"] and not self.findings.problems:
            for split in splits:
                self._duplicates(split)
        n_genes = self._genes(names, splits)
        if sections:
            costs = self.findings.attempt(lambda: self._costs(sections, splits, n_genes))
            if costs and n_genes:
                self.findings.attempt(lambda: self._model(costs.width, n_genes))
            self._probe(sections)

    def _sections(self, keys: Sequence[SectionKey]) -> dict[str, tuple[str, ...]]:
        """The genes of the sound sections, by id, equal lists as one object; logs the table of
        all.
        """
        check = SectionCheck(self.data, self.recipe.encoder, self.recipe.nuclei, self.folder)
        lists: dict[tuple[str, ...], tuple[str, ...]] = {}
        names = {}
        rows = []
        with progress_bar(len(keys), "section", "sections") as bar:
            for key, section, line in check.each(keys, self.findings):
                rows.append(line)
                if section is not None:
                    genes = tuple(sys.intern(str(name)) for name in section.adata.var_names)
                    names[key.section_id] = lists.setdefault(genes, genes)
                bar.update()
        groups = len({key.group for key in keys})
        log.info(
            "%s: %s in %s\n\n%s",
            self.config["data"]["name"],
            counted(len(keys), "section"),
            counted(groups, "group"),
            markdown(HEADER, rows),
        )
        if self.folder is not None:
            log.info("\nspots on the images: %s", self.folder / "*.png")
        return names

    def _duplicates(self, split: Split) -> None:
        """No test section is the tissue of a training section under another name."""
        labelled = self.findings.attempt(
            lambda: label_duplicates(self.data, split, self.fold.allow_leak)
        )
        new = labelled.leaks[len(split.leaks) :] if labelled else []
        self.findings.notes += [f"this split is labelled: {leak}" for leak in new]

    def _genes(self, names: Mapping[str, tuple[str, ...]], splits: Sequence[Split]) -> int:
        """Number of genes of the first split's panel, fitted as training would; 0 if it cannot
        be.
        """
        first = next(iter(names.values()), ())
        kind = f"{species(first) or 'species unknown'}, {naming(first) or 'naming unknown'}"
        if not splits or self.findings.problems:
            log.info("genes: %s; no panel before the problems are solved", kind)
            return 0
        split = splits[0]
        panel = self.findings.attempt(lambda: fit_panel(self.data, split, self.recipe.panel))
        if panel is None:
            return 0
        training = self.data.of(sorted(split.train))
        self.findings.attempt(lambda: self.recipe.expression.fit(training, panel))
        measured = [set(genes) for genes in {names[i] for i in split.train}]
        shared = len(set.intersection(*measured))
        self.findings.notes += lost_genes(shared, len(set.union(*measured)), self.recipe.panel)
        of = f" in fold {split.index}" if len(splits) > 1 else ""
        log.info(
            "genes: %s; %d shared by the training sections, a panel of %d%s",
            kind,
            shared,
            len(panel.genes),
            of,
        )
        absent = {
            i: n for i in sorted(section_ids(split)) if (n := len(set(panel.genes) - set(names[i])))
        }
        self.findings.notes += [
            f"{i} lacks {n} genes of the panel: not {_use(i, split)} there"
            for i, n in absent.items()
        ]
        return len(panel.genes)

    def _costs(
        self, sections: Mapping[str, Section], splits: Sequence[Split], n_genes: int
    ) -> Costs:
        """Time, disk and memory; where no fold can be made, as if all sections trained."""
        splits = splits or [Split(0, 1, list(sections), [], [])]
        data = self.config["data"]
        costs = estimate(
            sections, splits, self.recipe, n_genes or data["n_genes_at_most"], data["keep_gib"]
        )
        log.info(describe(costs, self.recipe.encoder))
        self.findings.attempt(lambda: check_disk(costs, self.recipe.store.root))
        self.findings.attempt(lambda: check_memory(costs))
        return costs

    def _probe(self, sections: Mapping[str, Section]) -> None:
        """Whether sections and patients can be told apart by the embeddings that are stored."""
        answers = unless_it_fails(lambda: probe_stored(sections, self.recipe))
        if answers:
            log.info("read off the stored embeddings: %s (%s)", in_words(answers), MEANING)

    def _model(self, d_image: int, n_genes: int) -> None:
        """The model's settings are accepted; a reference has none."""
        if self.config["model"]["module"]:
            build_module(self.config, {"d_image": d_image, "n_genes": n_genes})


def _use(section_id: str, split: Split) -> str:
    return "trained" if section_id in split.train else "scored"


def lost_genes(shared: int, measured: int, rule: PanelRule) -> list[str]:
    """A note where most genes cannot be chosen, as some training section did not measure them."""
    if str(rule.measured_in) != ALL or shared >= FEW_SHARED * measured:
        return []
    return [
        f"{measured - shared} of the {measured} genes that training sections measured were not"
        f" measured in all of them and cannot be chosen; {MEASURED_IN}=0.5 takes those that half"
        " of them measured"
    ]
