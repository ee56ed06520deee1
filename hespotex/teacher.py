"""Stage 1 of a run: fit the teacher, or take the one that was fitted on the very same inputs before."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from filelock import FileLock
from torch import Tensor
from torch_geometric.data import Data

from hespotex.build import Config, build_teacher, build_trainer
from hespotex.callbacks.progress import EpochProgress
from hespotex.data.datamodule import SectionDataModule
from hespotex.data.graph import knn_edges, undirected_with_loops
from hespotex.data.loader import SectionLoader
from hespotex.files import atomic_path, digest

log = logging.getLogger(__name__)
LEAK = "the teacher saw the test section"
FORMAT = 2  # of the files in the store


def attach_latents(config: Config, datamodule: SectionDataModule) -> dict[str, Any] | None:
    """Give the training sections their spot latents; returns the teacher's file in the store and the sections it saw.

    `model.teacher.fit`: "joint" fits one teacher on the training sections together, so that all latents live in
    one space; "sequential" trains it section after section over all of them, the test sections included, and
    takes each latent right after its own turn, as released; null fits none.
    """
    teacher = config["model"]["teacher"]
    if not teacher or not teacher["fit"]:
        return None
    ids = datamodule.split.train if teacher["fit"] == "joint" else datamodule.section_ids
    sections = [_expression_graph(datamodule, i, teacher) for i in ids]
    key = digest(
        {"format": FORMAT, "sections": [_fingerprint(s) for s in sections], "teacher": teacher, "seed": config["seed"]}
    )
    path = teacher_path(config, key)
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_suffix(".lock")):
        if path.is_file():
            log.info("teacher: nothing that made it has changed, taken from %s", path)
        else:
            with atomic_path(path) as part:
                torch.save(_fit(config, sections), part)
    fitted = torch.load(path, weights_only=True)
    datamodule.set_latents(fitted["latents"])
    return {"key": key, "fitted_on": fitted["fitted_on"]}


def teacher_path(config: Config, key: str) -> Path:
    """Where a teacher is kept between runs."""
    return Path(config["paths"]["store"]) / "teachers" / f"{key}.pt"


def teacher_input(expression: Tensor, scaling: tuple[Tensor, Tensor], standardize: bool) -> Tensor:
    """What the teacher sees of a section, (n_spots, n_genes): expression, in units of each gene's spread if asked for."""
    known = torch.nan_to_num(expression)
    return (known - scaling[0]) / scaling[1] if standardize else known


def _expression_graph(datamodule: SectionDataModule, section_id: str, teacher: dict[str, Any]) -> Data:
    """Expression and stage 1 graph of a section: k nearest neighbours, undirected, with self loops."""
    data, pos = datamodule.data[section_id], datamodule.sections[section_id].pos
    edges = undirected_with_loops(knn_edges(pos, teacher["n_neighbours"]), len(pos))
    expression = teacher_input(data.expression, datamodule.scaling(), teacher["standardize"])
    return Data(expression=expression, edge_index=torch.from_numpy(edges), num_nodes=len(pos), section_id=section_id)


def _fit(config: Config, sections: Sequence[Data]) -> dict[str, Any]:
    """The latents, and for the audit what they were fitted on: ids, and each section's mean input, (n_genes,)."""
    seen = {section.section_id: section.expression.mean(0) for section in sections}
    return {"fitted_on": list(seen), "input_means": seen, "latents": _latents(config, sections)}


def _latents(config: Config, sections: Sequence[Data]) -> dict[str, Tensor]:
    teacher = config["model"]["teacher"]
    pl.seed_everything(config["seed"], verbose=False)
    module = build_teacher(config, sections[0].expression.shape[1])
    if teacher["fit"] == "joint":
        _train(config, module, sections)
        return {section.section_id: module.latent(section) for section in sections}
    latents = {}
    for section in sections:
        _train(config, module, [section])
        latents[section.section_id] = module.latent(section)
    return latents


def _train(config: Config, module: pl.LightningModule, sections: Sequence[Data]) -> None:
    teacher = config["model"]["teacher"]
    own = {"max_epochs": teacher["max_epochs"], "gradient_clip_val": teacher["gradient_clip"], "num_sanity_val_steps": 0}
    quiet = {"logger": False, "enable_checkpointing": False, "enable_model_summary": False}
    bar = EpochProgress(f"teacher, {len(sections)} sections")
    trainer = build_trainer(config, **own, **quiet, strategy="auto", devices=1, num_nodes=1, callbacks=[bar])
    trainer.fit(module, SectionLoader(sections, seed=config["seed"], epoch=lambda: trainer.current_epoch))
    module.cpu()


def _fingerprint(section: Data) -> list[str]:
    return [section.section_id, *(digest(section[f].numpy().tobytes()) for f in ("expression", "edge_index"))]
