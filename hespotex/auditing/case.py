"""One run under audit: its record, its data, and what the checkpoint makes of each section by
itself.
"""

from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from hespotex.auditing.dataset import DataSet, DataSets
from hespotex.batches.assemble import ImageInputs
from hespotex.batches.fold import Fold, PreparedSection, Recipe
from hespotex.batches.loader import Batching, BlockLoader
from hespotex.batches.weights import spot_weights
from hespotex.common.errors import InputError
from hespotex.common.hdf5 import read_anndata
from hespotex.embeddings.encoder import NucleiCounter
from hespotex.embeddings.levels import TrainingScale
from hespotex.embeddings.rows import StoredRows
from hespotex.embeddings.store import EmbeddingStore, Request
from hespotex.encoders.pair import has_parts, part_identities, part_settings
from hespotex.genes.expression import Expression
from hespotex.genes.gene_list import GeneList
from hespotex.genes.panel import GenePanel
from hespotex.genes.scaling import scaling
from hespotex.genes.sets import GeneSets
from hespotex.genes.target import Target
from hespotex.metrics import gene_pearson
from hespotex.modules.base import ExpressionModule, collect
from hespotex.records.checkpoint import load_module, restored_target
from hespotex.records.record import RunRecord
from hespotex.records.trusted import rebuild
from hespotex.results.predictions import prediction_file
from hespotex.sections.patches import PatchSpec
from hespotex.sections.section import library_size
from hespotex.splits.split import Split


class Case:
    """Everything a rule may ask. Whatever needs data that is not there raises an `InputError` that
    says so.

    Args:
        record: what the run left.
        data_sets: of all runs that are audited together; None leaves the data alone.
    """

    def __init__(self, record: RunRecord, data_sets: DataSets | None) -> None:
        self.record = record
        self._data_sets = data_sets
        self._prepared: dict[str, PreparedSection] = {}
        self._predicted: dict[str, Tensor] = {}
        self._stored: dict[str, Tensor] = {}

    @cached_property
    def data_set(self) -> DataSet:
        """The sections of the run, read as training does; an `InputError` in a quick audit."""
        if self._data_sets is None:
            raise InputError("a quick audit reads no data")
        return self._data_sets.of(self.record)

    @property
    def precise(self) -> bool:
        """Whether the run computed in single precision throughout."""
        return str(self.record.config["trainer"].get("precision", "32-true")).startswith("32")

    @property
    def panel(self) -> GenePanel:
        """The genes of the checkpoint, whoever chose them."""
        return GenePanel(self.record.about["genes"], self.record.about["panel_fitted_on"])

    @cached_property
    def _expression(self) -> Expression:
        """The target with what the checkpoint says was fitted."""
        return restored_target(self.record.about)

    def target(self, section_id: str) -> Target:
        """Expression (n_spots, n_genes) as it is learned and scored."""
        return self._expression(self.data_set.section(section_id), self.panel)

    def scaling(self, ids: list[str]) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of each gene, (n_genes,), over the spots of these
        sections.
        """
        unit = self.batching.weight
        if unit is None:
            return scaling(self.target(i) for i in ids)
        sections = {i: self.data_set.section(i) for i in ids}
        sizes = {i: len(section.adata) for i, section in sections.items()}
        weights = spot_weights(unit, sizes, {i: one.key.group for i, one in sections.items()})
        return scaling((self.target(i) for i in ids), weights.values())

    @cached_property
    def recipe(self) -> Recipe:
        """How the run prepared its sections; embeddings come from the store and from there only."""
        about = self.record.about
        config = self.record.config
        counter: NucleiCounter | None = rebuild(config, "nuclei.counter")
        return Recipe(
            encoder=KnownEncoder(config["encoder"], about["encoder_identity"]),
            nuclei=counter,
            panel=GeneList(genes=about["genes"]),
            expression=self._expression,
            inputs=ImageInputs(**about["image_inputs"]),
            store=ReadOnlyStore(config["store"]["root"], config["store"]["precision"]),
            batching=self.batching,
            training=self.training_scale,
        )

    @cached_property
    def training_scale(self) -> TrainingScale | None:
        """What the checkpoint says of its training embeddings; older ones say nothing."""
        recorded = self.record.about.get("training_scale")
        return TrainingScale.from_dict(recorded) if recorded else None

    def prepared(self, section_id: str) -> PreparedSection:
        """The section as the model gets it."""
        if section_id not in self._prepared:
            section = self.data_set.section(section_id)
            graph = self.recipe.graph(section, trains=False)
            graph.target = target = self.target(section_id)
            facts = self.data_set.facts(section_id)
            depth = library_size(section.adata.X)
            self._prepared[section_id] = PreparedSection(
                section.without_counts(), graph, target, facts, depth
            )
        return self._prepared[section_id]

    def fold(self, *sides: str) -> Fold:
        """These sides of the run's fold, with the scaling that the checkpoint has."""
        split = Split(**self.record.about["split"])
        state = self.record.checkpoint["state_dict"]
        sections = {i: self.prepared(i) for i in self.record.ids(*sides)}
        sets = GeneSets({}, [])
        scaling = (state["gene_mean"], state["gene_std"])
        return Fold(split, self.data_set.keys, sections, self.panel, sets, self.recipe, scaling)

    @cached_property
    def batching(self) -> Batching:
        """How the run cut its sections."""
        batching: Batching = rebuild(self.record.config, "data.batching")
        return batching

    def batches(self, ids: list[str], n_hops: int) -> BlockLoader:
        """Sections as the model gets them, the large ones in blocks as in training."""
        return self.batching.loader(
            [self.prepared(i).graph for i in ids], len(self.panel.genes), n_hops
        )

    @cached_property
    def module(self) -> ExpressionModule:
        """The chosen epoch's model."""
        return load_module(self.record.checkpoint)

    def predicted(self, section_id: str) -> Tensor:
        """Prediction (n_spots, n_genes) of the checkpoint for this section, from its own image and
        nothing else.
        """
        if section_id not in self._predicted:
            self._predicted |= self.module.predict(self.batches([section_id], self.module.n_hops))
        return self._predicted[section_id]

    def stored(self, section_id: str) -> Tensor:
        """Prediction (n_spots, n_genes) as the run's own file has it."""
        if section_id not in self._stored:
            table = read_anndata(prediction_file(self.record.folder, section_id))
            self._stored[section_id] = torch.from_numpy(np.asarray(table.X, dtype=np.float32))
        return self._stored[section_id]

    def measured(self, section_id: str) -> Tensor:
        """The target of a section, (n_spots, n_genes)."""
        return self.target(section_id).dense()

    def epoch_score(self, ids: list[str]) -> float:
        """What chooses the epoch: gene-wise Pearson of the model's bare output, averaged over
        genes, then sections.
        """
        scores = []
        for section_id, values in self.bare(ids).items():
            scores.append(float(gene_pearson(values, self.measured(section_id)).nanmean()))
        # NaN of nothing, without a warning
        return float(torch.tensor(scores, dtype=torch.float64).nanmean())

    @torch.inference_mode()
    def bare(self, ids: list[str]) -> dict[str, Tensor]:
        """The model's output for these sections, (n_spots, n_genes) each, as it learns from it:
        neither calibrated nor cut. Nothing is kept.
        """
        return collect(self.batches(ids, self.module.n_hops), self.module.expression)


class KnownEncoder:
    """The encoder of a run as far as the store asks for it; it can encode nothing.

    Args:
        settings: of the run's config; several encoders side by side have `parts`.
        identity: as the checkpoint has it.
    """

    def __init__(self, settings: dict[str, Any], identity: dict[str, Any]) -> None:
        self.name = str(settings["name"])
        self._identity = identity
        if has_parts(settings):
            members = part_settings(settings)
            self.parts = [
                KnownEncoder(members[name], member_identity)
                for name, member_identity in part_identities(identity).items()
            ]
            return
        self.patch_um = [float(um) for um in settings["patch_um"]]
        self.patch_px = int(settings["patch_px"])
        self.batch_size = 1
        # a user's encoder may leave it out
        self.patch_cut = str(settings.get("patch_cut", PatchSpec.cut))

    def identity(self) -> dict[str, Any]:
        """The identity that the checkpoint holds, by which the store finds embeddings."""
        return self._identity

    def __call__(self, patches: Tensor, mpp: float) -> Tensor:
        """Refused."""
        raise InputError("an audit encodes nothing")


class ReadOnlyStore(EmbeddingStore):
    """The store without the power to compute."""

    def load(self, request: Request, *compute: Any) -> StoredRows:
        """Rows that are there already; `compute` is never called.

        Raises:
            InputError: the file is no longer in the store.
        """
        if not self.path(request).is_file():
            raise InputError(
                f"{request.name} of {request.section_id} is no longer in the store {self.root}"
            )
        return super().load(request, *compute)
