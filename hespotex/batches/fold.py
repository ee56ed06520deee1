"""One fold as data: its sections ready for a model, and what was fitted on those that train."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import compress
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hespotex.batches.assemble import ImageInputs
from hespotex.batches.loader import AS_GIVEN, Batching, BlockLoader, Order
from hespotex.batches.nuclear_size import training_size
from hespotex.batches.spot_graph import SpotGraph
from hespotex.batches.weights import spot_weights
from hespotex.common.files import digest
from hespotex.embeddings.embed import embed_section
from hespotex.embeddings.encoder import Encoder, NucleiCounter, parts_of
from hespotex.embeddings.familiarity import Familiarity
from hespotex.embeddings.levels import TrainingScale
from hespotex.embeddings.store import EmbeddingStore
from hespotex.genes.expression import Expression
from hespotex.genes.panel import GenePanel, PanelRule
from hespotex.genes.scaling import scaling
from hespotex.genes.sets import GeneSets
from hespotex.genes.target import Numbers, Rows, Target
from hespotex.sections.section import Section, SectionKey
from hespotex.splits.split import Split


@dataclass(frozen=True)
class Recipe:
    """How sections become what a model is given.

    Attributes:
        encoder: image encoder.
        nuclei: counter of nuclei, or None.
        panel: rule that picks the genes.
        expression: counts to targets.
        inputs: image side to tensors.
        store: embedding store.
        batching: how sections become the batches of a step.
        training: what the embeddings of the training sections are like; None before it is fitted.
    """

    encoder: Encoder
    nuclei: NucleiCounter | None
    panel: PanelRule
    expression: Expression
    inputs: ImageInputs
    store: EmbeddingStore
    batching: Batching
    training: TrainingScale | None = None

    def views(self, trains: bool) -> int:
        """Turned and mirrored patches of a section: they are for training only."""
        return self.inputs.views if trains else 1

    def graph(self, section: Section, trains: bool) -> SpotGraph:
        """The image side of a section; see `ImageInputs.assemble`."""
        views = self.views(trains)
        parts = (self.encoder, self.nuclei, self.store)
        return self.inputs.assemble(section, *parts, views, self.training)


@dataclass(frozen=True)
class PreparedSection:
    """A section whose counts have become a target.

    Attributes:
        section: positions, labels and image, without counts.
        graph: what a model is given, the target included.
        target: measured expression (n_spots, n_genes) of the panel.
        facts: see `section_facts`.
        depth: counts of each spot over all genes, (n_spots,).
        noise_ceiling: of a test section, of each gene, (n_genes,); see `hespotex.genes`.
    """

    section: Section
    graph: SpotGraph
    target: Target
    facts: dict[str, Any]
    depth: NDArray[np.float64]
    noise_ceiling: NDArray[np.float64] | None = None

    def of_genes(self, genes: Numbers) -> "PreparedSection":
        """The same with some of the genes."""
        target = self.target.select(genes)
        graph = replace(self.graph, target=target)
        known = self.noise_ceiling
        ceiling = None if known is None else known[genes]
        return replace(self, graph=graph, target=target, noise_ceiling=ceiling)


@dataclass(frozen=True)
class Fold:
    """Everything that a model of one fold is given; nothing of it is changed afterwards.

    Attributes:
        split: which sections train, validate and test.
        keys: of the sections, by id.
        sections: by id, in the order train, validation, test.
        panel: the genes.
        gene_sets: subsets of them that are scored by themselves.
        recipe: how the sections were prepared.
        scaling: mean and standard deviation of each gene, (n_genes,), over the spots of the
          training sections; None where no section trains.
        sample_table: fingerprint of the data set's table of samples, where it has one.
    """

    split: Split
    keys: Mapping[str, SectionKey]
    sections: Mapping[str, PreparedSection]
    panel: GenePanel
    gene_sets: GeneSets
    recipe: Recipe
    scaling: tuple[Tensor, Tensor] | None = field(default=None, repr=False)
    sample_table: str | None = None

    @property
    def section_ids(self) -> list[str]:
        """Every section of the split once, in the order train, validation, test."""
        return section_ids(self.split)

    @property
    def expression(self) -> Expression:
        """The target, with what was fitted on the training sections."""
        return self.recipe.expression

    def group(self, section_id: str) -> str:
        """The patient of a section, or what stands for it."""
        return self.keys[section_id].group

    def graph(self, section_id: str) -> SpotGraph:
        """What a model is given of this section."""
        return self.sections[section_id].graph

    @property
    def gene_scaling(self) -> tuple[Tensor, Tensor]:
        """The scaling, which every fold with training sections has."""
        if self.scaling is None:
            raise ValueError("a fold without training sections has no scaling")
        return self.scaling

    def of_training(self) -> "Fold":
        """The same fold with the scaling of its training sections."""
        targets = (self.sections[i].target for i in self.split.train)
        weights = self.spot_weights()
        return replace(self, scaling=scaling(targets, weights.values() if weights else None))

    def of_test(self, ids: Sequence[str]) -> "Fold":
        """The same fold with these of its test sections only."""
        split = replace(self.split, test=list(ids))
        sections = {i: self.sections[i] for i in section_ids(split)}
        return replace(self, split=split, sections=sections)

    def leaving_out(self, ids: Sequence[str]) -> "Fold":
        """The same fold with some training sections as its test sections; not yet scaled."""
        train = [i for i in self.split.train if i not in ids]
        split = replace(self.split, train=train, test=list(ids))
        sections = {i: self.sections[i] for i in section_ids(split)}
        return replace(self, split=split, sections=sections)

    def measured_in(self, ids: Sequence[str]) -> dict[str, Numbers]:
        """How many of these `sections`, and of their `groups`, measured each gene, (n_genes,)."""
        known = {i: self.sections[i].target.known for i in ids}
        groups: dict[str, NDArray[np.bool_]] = {}
        for section_id, own in known.items():
            group = self.group(section_id)
            groups[group] = groups.get(group, np.zeros_like(own)) | own
        none = np.zeros(len(self.panel.genes), dtype=bool)
        counts = {"sections": known, "groups": groups}
        return {unit: np.sum([none, *own.values()], axis=0) for unit, own in counts.items()}

    def by_measured(self) -> list[tuple[Numbers, list[str]]]:
        """Numbers of the genes that the same training sections measured, and these sections; one
        pair where all training sections measured all genes.
        """
        known = np.stack([self.sections[i].target.known for i in self.split.train], axis=1)
        patterns, pattern_of = np.unique(known, axis=0, return_inverse=True)
        genes = [np.flatnonzero(pattern_of.ravel() == number) for number in range(len(patterns))]
        training = [list(compress(self.split.train, pattern)) for pattern in patterns]
        return list(zip(genes, training, strict=True))

    def of_genes(self, genes: Numbers, train: list[str]) -> "Fold":
        """The same fold with some of its genes, given by their numbers, and training sections."""
        split = replace(self.split, train=train)
        sections = {i: known.of_genes(genes) for i, known in self.sections.items()}
        panel = replace(self.panel, genes=[self.panel.genes[gene] for gene in genes])
        return replace(self, split=split, sections=sections, panel=panel).of_training()

    def with_latents(self, latents: Mapping[str, Rows]) -> "Fold":
        """The same fold with the teacher's spot latents (n_spots, d_latent) of some sections."""
        sections = dict(self.sections)
        for section_id, latent in latents.items():
            graph = self.graph(section_id)
            taught = replace(graph, outcomes={**graph.outcomes, "latent": latent})
            sections[section_id] = replace(sections[section_id], graph=taught)
        return replace(self, sections=sections)

    def loader(
        self, ids: Sequence[str], n_hops: int, order: Order = AS_GIVEN, epochs: bool = False
    ) -> BlockLoader:
        """Batches of these sections for a model that looks `n_hops` away from a spot.

        Args:
            ids: of the sections.
            n_hops: steps along the edges.
            order: of the blocks, and this rank's share of them.
            epochs: see `Batching.loader`.
        """
        graphs = [self.graph(section_id) for section_id in ids]
        weights = self.spot_weights() if set(ids) <= set(self.split.train) else None
        n_genes = len(self.panel.genes)
        return self.recipe.batching.loader(graphs, n_genes, n_hops, order, epochs, weights)

    def spot_weights(self) -> dict[str, float] | None:
        """Of a spot of each training section; None where that is left to the model."""
        unit = self.recipe.batching.weight
        if unit is None:
            return None
        sizes = {i: len(self.graph(i)) for i in self.split.train}
        return spot_weights(unit, sizes, {i: self.group(i) for i in sizes})

    def familiarity(self) -> Familiarity:
        """What the training patches look like, to tell when a slide does not."""
        encoder = self.recipe.encoder
        store = self.recipe.store
        training = [self.sections[i].section for i in self.split.train]
        return Familiarity.fit([embed_section(section, encoder, store) for section in training])

    def nuclear_size(self) -> float | None:
        """How large nuclei are in the training sections (um), to tell a wrong pixel size."""
        training = [self.sections[i].section for i in self.split.train]
        return training_size(training, self.recipe.store)

    def widths(self) -> dict[str, int]:
        """What a model must know to be built: `d_image` and `n_genes`."""
        first = self.graph(self.section_ids[0]).inputs["image_embedding"][torch.arange(1)]
        return {"d_image": first.shape[1], "n_genes": len(self.panel.genes)}

    def sources(self) -> list[tuple[str, tuple[int, ...]]]:
        """Name of each encoder, and the widths of its patch sizes, in the order of the embedding's
        columns.
        """
        encoder = self.recipe.encoder
        section = self.sections[self.section_ids[0]].section
        rows = embed_section(section, encoder, self.recipe.store).parts
        widths = iter([own.width for own in rows])
        return [
            (part.name, tuple(next(widths) for _ in part.patch_um)) for part in parts_of(encoder)
        ]

    def fingerprint(self) -> str:
        """Hash of all that a model is given of the sections."""
        prints = {i: known.graph.fingerprint() for i, known in sorted(self.sections.items())}
        return digest(prints)

    def leaks(self) -> list[str]:
        """What was seen of the test sections by what was fitted, in words."""
        fitted = {"the gene panel": self.panel.fitted_on, "the target": self.expression.fitted_on}
        test = set(self.split.test)
        seen = [f"{name} saw the test section" for name, ids in fitted.items() if set(ids) & test]
        return [*self.split.leaks, *seen]

    def sizes(self) -> str:
        """The spots of every section, by side, for the log."""
        sides = {"train": self.split.train, "val": self.split.val, "test": self.split.test}
        spots = {i: f"{i}: {len(known.graph)} spots" for i, known in self.sections.items()}
        return ", ".join(f"{side} {[spots[i] for i in ids]}" for side, ids in sides.items())


def section_ids(split: Split) -> list[str]:
    """Every section of a split once: train, validation, test."""
    return list(dict.fromkeys([*split.train, *split.val, *split.test]))
