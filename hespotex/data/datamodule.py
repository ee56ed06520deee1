"""LightningDataModule of one fold: sections on disk to batches."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch_geometric.data import Data

from hespotex.data.assemble import ImageInputs
from hespotex.data.duplicates import duplicate_leaks
from hespotex.data.embed import embed_section, fill
from hespotex.data.encoder import Encoder, NucleiCounter
from hespotex.data.expression import Expression, smooth
from hespotex.data.familiarity import Familiarity
from hespotex.data.folds import FoldStrategy, Split
from hespotex.data.gene_names import GeneNames
from hespotex.data.gene_sets import GeneSets
from hespotex.data.genes import GenePanel, PanelRule
from hespotex.data.loader import SectionLoader
from hespotex.data.naming import check_names, log_overlap
from hespotex.data.section import Reader, Section, section_facts
from hespotex.data.store import EmbeddingStore
from hespotex.errors import InputError
from hespotex.files import digest
from hespotex.progress import progress

log = logging.getLogger(__name__)


class SectionDataModule(pl.LightningDataModule):
    """Embeds every section of the fold once, fits panel and scaling on the training sections, serves batches.

    Args:
        reader: the data set.
        encoder: image encoder; nuclei: counter of nuclei, or None.
        fold: the split.
        panel: rule that picks the genes; expression: counts to targets; inputs: image side to tensors.
        store: embedding store.
        genes: puts gene names right; None for its defaults.
        smooth_training: share of the mean of the neighbours in the targets of training spots, 0 to 1; what
            validates and tests is never smoothed.
        min_counts: spots with fewer counts in all are dropped: there is no measurement to learn from or score.
        select_on: "validation", or "test" as released: the epoch is then chosen on the test sections, and said so.
        batch_sections: sections per optimiser step, over all devices together.
        seed: of the order of the sections.
        detect_duplicates: refuse, or label, a test section that looks like the tissue of a training section.
    """

    def __init__(
        self,
        reader: Reader,
        encoder: Encoder,
        nuclei: NucleiCounter | None,
        fold: FoldStrategy,
        panel: PanelRule,
        expression: Expression,
        inputs: ImageInputs,
        store: EmbeddingStore,
        genes: GeneNames | None = None,
        smooth_training: float = 0.0,
        min_counts: int = 25,
        batch_sections: int = 1,
        select_on: str = "validation",
        seed: int = 0,
        detect_duplicates: bool = True,
    ) -> None:
        super().__init__()
        if not 0 <= smooth_training <= 1:
            raise InputError(f"data.smooth_training: expected a share from 0 to 1, got {smooth_training}")
        self.genes, self.smooth_training = genes or GeneNames(), smooth_training
        self.reader, self.encoder, self.nuclei, self.store = reader, encoder, nuclei, store
        self.panel_rule, self.expression, self.inputs = panel, expression, inputs
        self.min_counts, self.batch_sections, self.seed = min_counts, batch_sections, seed
        self.keys = {key.section_id: key for key in reader.section_keys()}
        self.split: Split = fold.split(list(self.keys.values()))
        self.allow_leak, self.detect_duplicates = fold.allow_leak, detect_duplicates
        if select_on == "test":
            self.split = self.split.validated_on_test()
        self.data: dict[str, Data] = {}
        self.sections: dict[str, Section] = {}
        self.facts: dict[str, dict[str, Any]] = {}
        self._read: dict[str, Section] = {}

    @property
    def section_ids(self) -> list[str]:
        return list(dict.fromkeys([*self.split.train, *self.split.val, *self.split.test]))

    def prepare_data(self) -> None:
        """Fill the store: the only place where images are read and encoders run."""
        self._check_duplicates()
        for section_id in progress([] if self.data else self.section_ids, "section", "sections"):
            fill(self._section(section_id), self.encoder, self.nuclei, self.store, self._views(section_id))

    def setup(self, stage: str | None = None) -> None:
        """Fit panel and targets, then turn every section into tensors; the counts are let go."""
        if self.data:
            return
        self._check_duplicates()
        sections = {section_id: self._section(section_id) for section_id in self.section_ids}
        names = {section_id: list(map(str, section.adata.var_names)) for section_id, section in sections.items()}
        check_names(names)
        self._log_overlap(names)
        self.fit(sections)
        for section_id, section in sections.items():
            self.data[section_id] = self._tensors(section)
            self.facts[section_id] = section_facts(section)
            self.sections[section_id] = section.without_counts()
        self._read.clear()
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
        if not self.detect_duplicates:
            return
        self.detect_duplicates = False
        test = [self._section(i) for i in self.split.test]
        rest = [self._section(i) for i in self.section_ids if i not in self.split.test]
        leaks = duplicate_leaks(test, rest, self.allow_leak)
        self.split = replace(self.split, leaks=[*self.split.leaks, *leaks])

    def _section(self, section_id: str) -> Section:
        if section_id not in self._read:
            self._read[section_id] = self.genes(self.reader.read(section_id)).with_counts(self.min_counts)
        return self._read[section_id]

    def _tensors(self, section: Section) -> Data:
        views = self._views(section.section_id)
        data = self.inputs.assemble(section, self.encoder, self.nuclei, self.store, views)
        expression = self.expression(section, self.panel)
        if self.smooth_training and section.section_id in self.split.train:
            expression = smooth(expression, data.edge_index.numpy(), self.smooth_training)
        data.expression = torch.from_numpy(expression)
        return data

    def _views(self, section_id: str) -> int:
        """Turned and mirrored patches are for training only."""
        return self.inputs.views if section_id in self.split.train else 1

    def _sizes(self) -> str:
        parts = {"train": self.split.train, "val": self.split.val, "test": self.split.test}
        return ", ".join(f"{name} {[f'{i}: {self.data[i].num_nodes} spots' for i in ids]}" for name, ids in parts.items())

    def scaling(self) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of each gene, (n_genes,), over the spots of the training sections."""
        values: NDArray[np.float64] = np.concatenate(
            [self.data[i].expression.numpy() for i in self.split.train], dtype=np.float64
        )
        std = values.std(axis=0)
        return torch.tensor(values.mean(axis=0)).float(), torch.tensor(np.where(std > 1e-6, std, 1.0)).float()

    def familiarity(self) -> Familiarity:
        """What the training patches look like, to tell when a slide does not."""
        return Familiarity.fit([embed_section(self.sections[i], self.encoder, self.store) for i in self.split.train])

    def sizes(self) -> dict[str, int]:
        """What a model must know to be built."""
        first = self.data[self.split.train[0]]
        return {"d_image": first.image_embedding.shape[1], "n_genes": len(self.panel.genes)}

    def fingerprint(self) -> str:
        """Hash of the tensors of all sections of the fold."""
        fields = ("image_embedding", "nuclei", "pos", "edge_index", "expression")
        return digest({i: [digest(data[f].numpy().tobytes()) for f in fields] for i, data in sorted(self.data.items())})

    def leaks(self) -> list[str]:
        """What test sections were seen by what this object fitted, in words."""
        fitted = {"the gene panel": self.panel.fitted_on, "the target": self.expression.fitted_on}
        seen = [f"{name} saw the test section" for name, ids in fitted.items() if set(ids) & set(self.split.test)]
        return [*self.split.leaks, *seen]

    def set_latents(self, latents: dict[str, Tensor]) -> None:
        """Attach the teacher's spot latents (n_spots, d_latent)."""
        for section_id, latent in latents.items():
            self.data[section_id].latent = latent

    def train_dataloader(self) -> SectionLoader:
        trainer: Any = self.trainer
        return SectionLoader(
            [self.data[i] for i in self.split.train],
            self.batch_sections,
            self.seed,
            epoch=lambda: trainer.current_epoch,
            rank=trainer.global_rank,
            world_size=trainer.world_size,
        )

    def val_dataloader(self) -> SectionLoader:
        """Every rank validates all sections: they are few, and no rank waits for another."""
        return SectionLoader([self.data[i] for i in self.split.val])

    def test_dataloader(self) -> SectionLoader:
        return SectionLoader([self.data[i] for i in self.split.test])

    predict_dataloader = test_dataloader
