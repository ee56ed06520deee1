"""LightningDataModule of one fold: sections on disk to batches."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor

from hespotex.data.assemble import ImageInputs
from hespotex.data.duplicates import duplicate_leaks
from hespotex.data.embed import embed_section, fill
from hespotex.data.encoder import Encoder, NucleiCounter
from hespotex.data.expression import Expression
from hespotex.data.familiarity import Familiarity
from hespotex.data.folds import FoldStrategy
from hespotex.data.gene_sets import GeneSets
from hespotex.data.genes import GenePanel, PanelRule
from hespotex.data.loader import Batching, BlockLoader
from hespotex.data.naming import check_names, log_overlap
from hespotex.data.scaling import scaling
from hespotex.data.section import Section, section_facts
from hespotex.data.sections import Sections
from hespotex.data.split import Split, selected
from hespotex.data.spot_graph import SpotGraph
from hespotex.data.store import EmbeddingStore
from hespotex.data.target import Rows, SmoothedTarget, Target
from hespotex.errors import InputError
from hespotex.files import digest
from hespotex.progress import progress

log = logging.getLogger(__name__)


class SectionDataModule(pl.LightningDataModule):
    """Embeds every section of the fold once, fits panel and scaling on the training sections, serves batches.

    Args:
        sections: of the data set.
        encoder: image encoder; nuclei: counter of nuclei, or None.
        fold: the split.
        panel: rule that picks the genes; expression: counts to targets; inputs: image side to tensors.
        store: embedding store.
        batching: how sections become the batches of a step.
        smooth_training: share of the mean of the neighbours in the targets of training spots, 0 to 1; what
            validates and tests is never smoothed.
        select_on: what chooses the epoch; see `selected`.
        seed: of the order of the sections.
        detect_duplicates: refuse, or label, a test section that looks like the tissue of a training section.
    """

    def __init__(
        self,
        sections: Sections,
        encoder: Encoder,
        nuclei: NucleiCounter | None,
        fold: FoldStrategy,
        panel: PanelRule,
        expression: Expression,
        inputs: ImageInputs,
        store: EmbeddingStore,
        batching: Batching,
        smooth_training: float = 0.0,
        select_on: str | None = "validation",
        seed: int = 0,
        detect_duplicates: bool = True,
    ) -> None:
        super().__init__()
        if not 0 <= smooth_training <= 1:
            raise InputError(f"data.smooth_training: expected a share from 0 to 1, got {smooth_training}")
        self.source, self.keys = sections, sections.keys
        self.encoder, self.nuclei, self.store = encoder, nuclei, store
        self.panel_rule, self.expression, self.inputs = panel, expression, inputs
        self.batching, self.smooth_training, self.seed = batching, smooth_training, seed
        self.split: Split = selected(fold.split(list(self.keys.values())), select_on)
        self.allow_leak, self.compared = fold.allow_leak, not detect_duplicates
        self.n_hops: int | None = None  # that the model looks away from a spot; whoever builds the model sets it
        self.data: dict[str, SpotGraph] = {}
        self.targets: dict[str, Target] = {}
        self.sections: dict[str, Section] = {}
        self.facts: dict[str, dict[str, Any]] = {}

    @property
    def section_ids(self) -> list[str]:
        return list(dict.fromkeys([*self.split.train, *self.split.val, *self.split.test]))

    def prepare_data(self) -> None:
        """Fill the store: the only place where images are read and encoders run."""
        self._check_duplicates()
        for section_id in progress([] if self.data else self.section_ids, "section", "sections"):
            fill(self.source[section_id], self.encoder, self.nuclei, self.store, self._views(section_id))

    def setup(self, stage: str | None = None) -> None:
        """Fit panel and targets, then turn every section into a graph; the counts of other genes are let go."""
        if self.data:
            return
        self._check_duplicates()
        sections = {section_id: self.source[section_id] for section_id in self.section_ids}
        names = {section_id: list(map(str, section.adata.var_names)) for section_id, section in sections.items()}
        check_names(names)
        self._log_overlap(names)
        self.fit(sections)
        for section_id, section in sections.items():
            self.data[section_id] = self._graph(section)
            self.facts[section_id] = section_facts(section)
            self.sections[section_id] = section.without_counts()
        self.source.release()
        log.info("fold %d: %d genes; %s", self.split.index, len(self.panel.genes), self._sizes())

    def fit(self, sections: dict[str, Section]) -> None:
        """The panel, and from the training sections what the targets need to know and the gene sets of the scores."""
        fit_on = self.section_ids if self.panel_rule.sees_all_sections else self.split.train
        self.panel: GenePanel = self.panel_rule.fit([sections[i] for i in sorted(fit_on)])
        train = [sections[i] for i in sorted(self.split.train)]
        self.expression.fit(train, self.panel)
        self.gene_sets = GeneSets.fit(train, self.panel, self.panel_rule.markers)

    def _log_overlap(self, names: Mapping[str, Sequence[str]]) -> None:
        """Tell how many genes each section shares with training."""
        log_overlap(names, self.split.train)

    def _check_duplicates(self) -> None:
        """Once, before anything is embedded: no test section is the tissue of a training section under another name."""
        if self.compared:
            return
        self.compared = True
        test = [self.source[i] for i in self.split.test]
        rest = [self.source[i] for i in self.section_ids if i not in self.split.test]
        leaks = duplicate_leaks(test, rest, self.allow_leak)
        self.split = replace(self.split, leaks=[*self.split.leaks, *leaks])

    def _graph(self, section: Section) -> SpotGraph:
        section_id = section.section_id
        graph = self.inputs.assemble(section, self.encoder, self.nuclei, self.store, self._views(section_id))
        target = self.targets[section_id] = self.expression(section, self.panel)
        smoothed = self.smooth_training and section_id in self.split.train
        graph.target = SmoothedTarget(target, graph.edges, self.smooth_training) if smoothed else target
        return graph

    def _views(self, section_id: str) -> int:
        """Turned and mirrored patches are for training only."""
        return self.inputs.views if section_id in self.split.train else 1

    def _sizes(self) -> str:
        parts = {"train": self.split.train, "val": self.split.val, "test": self.split.test}
        return ", ".join(f"{name} {[f'{i}: {len(self.data[i])} spots' for i in ids]}" for name, ids in parts.items())

    def scaling(self) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of each gene, (n_genes,), over the spots of the training sections."""
        return scaling(self.data[i].target for i in self.split.train)

    def familiarity(self) -> Familiarity:
        """What the training patches look like, to tell when a slide does not."""
        return Familiarity.fit([embed_section(self.sections[i], self.encoder, self.store) for i in self.split.train])

    def sizes(self) -> dict[str, int]:
        """What a model must know to be built."""
        first = self.data[self.split.train[0]].inputs["image_embedding"][torch.arange(1)]
        return {"d_image": first.shape[1], "n_genes": len(self.panel.genes)}

    def fingerprint(self) -> str:
        """Hash of all that the models of this fold are given of its sections."""
        return digest({i: graph.fingerprint() for i, graph in sorted(self.data.items())})

    def leaks(self) -> list[str]:
        """What test sections were seen by what this object fitted, in words."""
        fitted = {"the gene panel": self.panel.fitted_on, "the target": self.expression.fitted_on}
        seen = [f"{name} saw the test section" for name, ids in fitted.items() if set(ids) & set(self.split.test)]
        return [*self.split.leaks, *seen]

    def set_latents(self, latents: Mapping[str, Rows]) -> None:
        """Attach the teacher's spot latents (n_spots, d_latent)."""
        for section_id, latent in latents.items():
            self.data[section_id].outcomes["latent"] = latent

    def loader(self, section_ids: Sequence[str], **order: Any) -> BlockLoader:
        """These sections, in the given order or as `order` says, for the model that `n_hops` was set for."""
        if self.n_hops is None:
            raise ValueError("n_hops is not set: without the model's, blocks would lack their halo")
        return self.batching.loader([self.data[i] for i in section_ids], len(self.panel.genes), self.n_hops, **order)

    def train_dataloader(self) -> BlockLoader:
        trainer: Any = self.trainer
        order = {"seed": self.seed, "epoch": lambda: trainer.current_epoch, "epochs": True}
        return self.loader(self.split.train, **order, rank=trainer.global_rank, world_size=trainer.world_size)

    def val_dataloader(self) -> BlockLoader | list[Any]:
        """Every rank validates all sections: they are few, and no rank waits for another. Empty where there are none."""
        return self.loader(self.split.val, epochs=True) if self.split.val else []

    def test_dataloader(self) -> BlockLoader:
        return self.loader(self.split.test)
