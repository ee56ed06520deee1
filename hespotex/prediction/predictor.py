"""Checkpoints bring their genes, encoder, graph and scaling along."""

import logging
from copy import deepcopy
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hespotex.batches.assemble import ImageInputs
from hespotex.batches.loader import Batching, BlockLoader
from hespotex.batches.spot_graph import SpotGraph
from hespotex.batches.whole_slide import WholeSlide
from hespotex.common.counted import counted
from hespotex.common.errors import InputError
from hespotex.common.provenance import git_commit, versions
from hespotex.embeddings.encoder import Encoder, NucleiCounter
from hespotex.embeddings.levels import Scale, TrainingScale
from hespotex.embeddings.store import EmbeddingStore
from hespotex.encoders.pair import has_parts, part_settings
from hespotex.genes.candidates import check_markers
from hespotex.modules.base import ExpressionModule
from hespotex.prediction.checkpoints import find_checkpoints
from hespotex.prediction.ensemble import Batches, Ensemble
from hespotex.prediction.fold_spread import folds_beside
from hespotex.records.about import About
from hespotex.records.build import Config, build
from hespotex.records.facts import facts_in_use
from hespotex.records.plain import plain
from hespotex.records.remarks import remarks_of
from hespotex.records.trusted import part, rebuild, rebuild_part
from hespotex.results.about import brief
from hespotex.results.slide.evidence import gene_evidence
from hespotex.sections.section import Section

log = logging.getLogger(__name__)


class Predictor:
    """Trained models with the preprocessing they were trained with.

    Args:
        config: of `predict.py`.

    Raises:
        InputError: no checkpoints, checkpoints that do not belong together, genes they do not know,
          or an encoder or counter of nuclei that is not here as it was in training.
    """

    def __init__(self, config: Config) -> None:
        self.ensemble = Ensemble(find_checkpoints(config["checkpoint"], bool(config.get("folds"))))
        self.about = self.ensemble.about
        self.genes = self.ensemble.genes
        self.check_genes(config)
        self.remarks = remarks_of(self._checkpoints)
        log.info("%s", self._summary())
        with facts_in_use(next(iter(self.ensemble.fingerprints))):
            self.encoder = _encoder(self.about, config["weights"])
            self.nuclei = _nuclei(self.about, config["nuclei_folder"])
            self.inputs = ImageInputs(**self.about["image_inputs"])
            self.batching: Batching = rebuild(self.about["config"], "data.batching")
        self.folds = folds_beside(self._checkpoints, self.genes) if config.get("fold_std") else None
        self.store: EmbeddingStore = build(config["store"])
        self.provenance = brief(self.about) | {
            "standardize": self.inputs.standardize,
            "checkpoint": " ".join(self.ensemble.fingerprints.values()),
            "versions": versions(),
            "git_commit": str(git_commit()),
        }
        if "tissue" in self.remarks:
            self.provenance["tissue"] = self.remarks["tissue"]
        if self.folds:
            self.provenance["fold_std_of"] = " ".join(self.folds.fingerprints)

    def check_genes(self, config: Config) -> None:
        """Refuse genes that the models do not know.

        Raises:
            InputError: with the nearest that they know.
        """
        for key in ("map_genes", "genes"):
            check_markers(config[key] or [], self.genes, key)

    def _summary(self) -> str:
        """The model, what it was trained on, and with which spots."""
        about = self.about
        sections = self.ensemble.sections_seen()
        groups = {str(facts.get("group", "unknown")) for facts in sections.values()}
        tissue = f" of {self.remarks['tissue']}" if "tissue" in self.remarks else ""
        trained_on = (
            f"{counted(len(sections), 'section')} of {counted(len(groups), 'group')}{tissue}"
        )
        spots = f"spots of {about['spot_diameter_um']:g} um"
        return f"{about['model']} on {about['data']}: trained on {trained_on}; {spots}"

    @cached_property
    def evidence(self) -> pd.DataFrame:
        """What each gene has earned on sections that were left out; see `gene_evidence`."""
        return gene_evidence(self._checkpoints, self.genes)

    @cached_property
    def gene_spread(self) -> NDArray[np.float64]:
        """Standard deviation of each gene over the training spots, mean over the members,
        (n_genes,).
        """
        ensemble = self.ensemble
        each = []
        for module, columns in zip(ensemble.modules, ensemble.columns, strict=True):
            std = module.gene_std.double().numpy()
            each.append(std if columns is None else std[columns])
        return np.asarray(np.mean(each, axis=0))

    @property
    def _checkpoints(self) -> list[Path]:
        return [Path(path) for path in self.ensemble.fingerprints]

    @property
    def modules(self) -> list[ExpressionModule]:
        """All that predict, the folds beside a model on all sections among them."""
        return [*self.ensemble.modules, *(self.folds.modules if self.folds else [])]

    @property
    def n_hops(self) -> int:
        """Steps along the edges that predictions look away from a spot."""
        return max(module.n_hops for module in self.modules)

    def whole_slide(self, tissue: Section) -> WholeSlide:
        """What stands behind the predictions of a bare slide, from a grid over all its tissue."""
        steps = (self.inputs, self.encoder, self.nuclei, self.store)
        return WholeSlide(tissue, *steps, self.n_hops)

    def batches(self, graph: SpotGraph, whole: WholeSlide | None = None) -> Batches:
        """A section for each of the models, in blocks where it is large.

        Args:
            graph: its image side.
            whole: of a bare slide, which is standardised over its tissue.
        """
        n_genes = max(module.n_genes for module in self.modules)

        def of(member: About) -> BlockLoader:
            scaled = self._as_trained(graph, member, whole)
            return self.batching.loader([scaled], n_genes, self.n_hops)

        return of

    def _as_trained(self, graph: SpotGraph, member: About, whole: WholeSlide | None) -> SpotGraph:
        """The section standardised as this member wants it."""
        training = training_scale(member)
        rows: Any = graph.inputs["image_embedding"]
        scale: Scale | None = rows.scale
        if self.inputs.standardize == "training" and training:
            scale = training.scale
        elif self.inputs.standardize == "section" and training and whole:
            scale = training.with_own(whole.scale, whole.n_patches)
        return replace(graph, inputs=graph.inputs | {"image_embedding": rows.scaled_by(scale)})


def training_scale(about: About) -> TrainingScale | None:
    """What a checkpoint tells of its training embeddings; older ones tell nothing."""
    recorded = about.get("training_scale")
    return TrainingScale.from_dict(recorded) if recorded else None


def _encoder(about: About, weights: str | dict[str, str] | None) -> Encoder:
    """The encoder of the training run, and only that one."""
    identity = plain(about["encoder_identity"])
    settings = _as_trained(part(about["config"], "encoder"), identity, weights)
    encoder: Encoder = rebuild_part(settings, "encoder")
    if encoder.identity() != about["encoder_identity"]:
        raise InputError(
            f"the checkpoint was trained on embeddings of {about['encoder_identity']}, here they"
            f" are of {encoder.identity()}; use the same weights (weights=FILE) and the same"
            " version of HESpotEx, or train anew"
        )
    return encoder


def _as_trained(
    settings: dict[str, Any], identity: dict[str, Any], weights: str | dict[str, str] | None
) -> dict[str, Any]:
    """The settings with the precision of training, whatever device this is, and with the user's
    weights (by part of a pair).
    """
    if has_parts(settings):
        if not isinstance(weights, dict | None) or not set(weights or ()) <= set(
            part_settings(settings)
        ):
            raise InputError(
                "expected weights by part, such as"
                f" weights={{{next(iter(part_settings(settings)))}:FILE}}, got {weights}"
            )
        by_part = {name: (weights or {}).get(name) for name in identity["parts"]}
        members = {
            name: _as_trained(settings["parts"][name], identity["parts"][name], file)
            for name, file in by_part.items()
        }
        return settings | {"parts": members}
    if weights and "weights" not in settings:
        raise InputError(
            f"weights={weights}, but encoder {settings['name']} has no weights file; leave"
            " weights out"
        )
    changes = {"precision": identity.get("precision"), "weights": weights}
    return settings | {key: value for key, value in changes.items() if value}


def _nuclei(about: About, folder: str | None) -> NucleiCounter | None:
    """The counter of the training run; where it reads files, those of the slides may lie in another
    folder.
    """
    settings = deepcopy(part(about["config"], "nuclei.counter"))
    if folder:
        owner = settings and settings.get("source", settings)
        if not owner or "folder" not in owner:
            raise InputError(
                f"nuclei_folder={folder}: the checkpoint's nuclei do not come from files; leave it"
                " null"
            )
        owner["folder"] = folder
    counter: NucleiCounter | None = rebuild_part(settings, "nuclei.counter")
    return counter
