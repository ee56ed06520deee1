"""The check-up of a data set, from the config that training would get."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from hespotex.build import Config, build, build_module
from hespotex.checkup.costs import Costs, check_disk, check_memory, describe, estimate
from hespotex.checkup.findings import Findings
from hespotex.checkup.folds import check_folds
from hespotex.checkup.sections import HEADER, SectionCheck
from hespotex.data.duplicates import duplicate_leaks
from hespotex.data.naming import check_names, naming, species
from hespotex.data.section import Section, SectionKey
from hespotex.data.sections import keys_by_id
from hespotex.data.split import Split
from hespotex.progress import progress_bar
from hespotex.results.markdown import markdown

log = logging.getLogger(__name__)
PARTS = ("reader", "genes", "panel", "expression", "inputs", "batching")


def check_up(cfg: DictConfig) -> Findings:
    """Walk through the data set, log what is there, draw the overlays; returns the problems."""
    config: Config = OmegaConf.to_container(cfg, resolve=True, throw_on_missing=True)  # type: ignore[assignment]
    findings = Findings()
    folder = Path(HydraConfig.get().runtime.output_dir) if config["overlays"] else None
    settings = {name: config["data"][name] for name in PARTS}
    settings |= {name: config[name] for name in ("encoder", "fold", "store")} | {"nuclei": config["nuclei"]["counter"]}
    parts = {name: findings.attempt(lambda part=part: build(part)) for name, part in settings.items()}  # type: ignore[misc]
    if not findings.problems:
        Walk(config, parts, findings, folder)()
    return findings


class Walk:
    """One walk; every step adds to the findings and logs what it saw.

    Args:
        config: as for training.
        parts: what the config builds, by name.
        folder: for the overlays; None for none.
    """

    def __init__(self, config: Config, parts: dict[str, Any], findings: Findings, folder: Path | None) -> None:
        self.config, self.parts, self.findings, self.folder = config, parts, findings, folder

    def __call__(self) -> None:
        listed: list[SectionKey] = self.parts["reader"].section_keys()
        self.findings.attempt(lambda: keys_by_id(listed))
        keys = list({key.section_id: key for key in listed}.values())
        sections = self._sections(keys)
        splits, words = check_folds(self.parts["fold"], keys, self.config["model"]["select_on"], self.findings)
        log.info("\n%s", words)
        names = {name: [str(gene) for gene in section.adata.var_names] for name, section in sections.items()}
        self.findings.attempt(lambda: check_names(names))
        if self.config["data"]["detect_duplicates"] and not self.findings.problems:
            for split in splits:
                self._duplicates(sections, split)
        n_genes = self._genes(sections, names, splits)
        if sections:
            costs = self.findings.attempt(lambda: self._costs(sections, splits, n_genes))
            if costs and n_genes:
                self.findings.attempt(lambda: build_module(self.config, {"d_image": costs.width, "n_genes": n_genes}))

    def _sections(self, keys: Sequence[SectionKey]) -> dict[str, Section]:
        """The sound sections; logs the table of all."""
        parts = {name: self.parts[name] for name in ("reader", "genes", "encoder", "nuclei")}
        check = SectionCheck(**parts, min_counts=self.config["data"]["min_counts"], folder=self.folder)
        sections, lines = {}, []
        with progress_bar(len(keys), "section", "sections") as bar:
            for key in keys:
                section, line = check(key, self.findings)
                lines.append(line)
                if section is not None:
                    sections[key.section_id] = section
                bar.update()
        groups = len({key.group for key in keys})
        log.info("%s: %d sections in %d groups\n\n%s", self.config["data"]["name"], len(keys), groups, markdown(HEADER, lines))
        if self.folder is not None:
            log.info("\nspots on the images: %s", self.folder / "*.png")
        return sections

    def _duplicates(self, sections: dict[str, Section], split: Split) -> None:
        """No test section is the tissue of a training section under another name."""
        test = [sections[i] for i in split.test]
        rest = [sections[i] for i in (*split.train, *split.val) if i not in split.test]
        allowed = self.parts["fold"].allow_leak
        leaks = self.findings.attempt(lambda: duplicate_leaks(test, rest, allowed))
        self.findings.notes += [f"this split is labelled: {leak}" for leak in leaks or []]

    def _genes(self, sections: dict[str, Section], names: Mapping[str, Sequence[str]], splits: Sequence[Split]) -> int:
        """Number of genes of the first split's panel, fitted as training would; 0 if it cannot be."""
        first = next(iter(names.values()), [])
        kind = f"{species(first) or 'species unknown'}, {naming(first) or 'naming unknown'}"
        if not splits or self.findings.problems:
            log.info("genes: %s; no panel before the problems are solved", kind)
            return 0
        rule, split = self.parts["panel"], splits[0]
        train, own = sorted(split.train), sorted({*split.train, *split.val, *split.test})
        panel = self.findings.attempt(lambda: rule.fit([sections[i] for i in (own if rule.sees_all_sections else train)]))
        if panel is None:
            return 0
        self.findings.attempt(lambda: self.parts["expression"].fit([sections[i] for i in train], panel))
        shared = len(set.intersection(*(set(names[i]) for i in train)))
        of = f" in fold {split.index}" if len(splits) > 1 else ""
        log.info("genes: %s; %d shared by the training sections, a panel of %d%s", kind, shared, len(panel.genes), of)
        missing = {i: n for i in own if (n := len(set(panel.genes) - set(names[i])))}
        self.findings.notes += [f"{i} lacks {n} genes of the panel: not scored there" for i, n in missing.items()]
        return len(panel.genes)

    def _costs(self, sections: dict[str, Section], splits: Sequence[Split], n_genes: int) -> Costs:
        """Time, disk and memory; where no fold can be made, as if all sections trained."""
        splits = splits or [Split(0, 1, list(sections), [], [])]
        costs = estimate(sections, splits, self.parts, n_genes or self.config["data"]["n_genes_at_most"])
        log.info(describe(costs, self.parts["encoder"]))
        self.findings.attempt(lambda: check_disk(costs, self.parts["store"].root))
        self.findings.attempt(lambda: check_memory(costs))
        return costs
