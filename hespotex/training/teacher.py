"""Stage 1 of a run: fit the teacher, or take the one that was fitted on the very same inputs
before.
"""

import logging
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from filelock import FileLock
from torch import Tensor

from hespotex.batches.fold import Fold
from hespotex.batches.loader import Batching, BlockLoader, Order
from hespotex.batches.spot_graph import SpotGraph
from hespotex.callbacks.checkpoint_io import why_torn
from hespotex.callbacks.progress import EpochProgress
from hespotex.common.files import atomic_path, digest, safe_name
from hespotex.common.loading import load_tensors, tensor_bytes
from hespotex.common.numerics.moments import moments
from hespotex.genes.directions import Directions
from hespotex.genes.target import Rows, in_chunks
from hespotex.records.build import Config, build, build_teacher, build_trainer
from hespotex.sections.graph import knn_edges, undirected_with_loops

log = logging.getLogger(__name__)
LEAK = "the teacher saw the test section"
FORMAT = 3  # of the files in the store
N_HOPS = 2  # one of the encoder and one of the decoder


def attach_latents(config: Config, fold: Fold) -> tuple[Fold, dict[str, Any] | None]:
    """The fold with the spot latents of its training sections, and the teacher's file in the store
    and what it saw.

    `model.teacher.fit`: "joint" fits one teacher on the training sections together, so that all
    latents live in one space; "sequential" trains it section after section over all of them, the
    test sections included, and takes each latent right after its own turn, as released; null fits
    none.
    """
    teacher = config["model"]["teacher"]
    if not teacher or not teacher["fit"]:
        return fold, None
    ids = fold.split.train if teacher["fit"] == "joint" else fold.section_ids
    scale = teacher_scaling(fold.gene_scaling, teacher["standardize"])
    expression = [fold.sections[i].target for i in ids]
    directions = Directions.fit(expression, scale, teacher["n_components"], config["seed"])
    graphs = [_expression_graph(fold, i, teacher["n_neighbours"], directions) for i in ids]
    batching = {
        name: value for name, value in config["data"]["batching"].items() if name != "keep_gib"
    }
    inputs = {
        "sections": [(g.section_id, g.fingerprint()) for g in graphs],
        "teacher": teacher,
        "batching": batching,
    }
    key = digest({"format": FORMAT, **inputs, "seed": config["seed"]})
    fitted = _stored(teacher_path(config, key), lambda: _fitted(config, graphs, directions))
    return fold.with_latents(fitted["latents"]), {"key": key, "fitted_on": fitted["fitted_on"]}


def _fitted(config: Config, graphs: Sequence[SpotGraph], directions: Directions) -> dict[str, Any]:
    means = {graph.section_id: mean_row(graph.inputs["expression"]) for graph in graphs}
    # for the audit
    about = {"fitted_on": list(means), "input_means": means, "directions": directions.axes}
    return {**about, "latents": _latents(config, graphs)}


def _stored(path: Path, fit: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """The teacher of the store; fitted now where there is none, or one that cannot be read."""
    if (teacher := _readable(path)) is not None:
        log.info("teacher: nothing that made it has changed, taken from %s", path)
        return teacher
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_suffix(".lock")):
        if (teacher := _readable(path)) is not None:
            return teacher
        with atomic_path(path) as draft:
            draft.write_bytes(tensor_bytes(fit()))
    return load_tensors(path, "teacher")


def _readable(path: Path) -> dict[str, Any] | None:
    if not path.is_file():
        return None
    if damaged := why_torn(path):
        log.warning("%s cannot be read (%s): the teacher is fitted anew", path, damaged)
        return None
    return load_tensors(path, "teacher")


def teacher_path(config: Config, key: str) -> Path:
    """Where a teacher is kept between runs."""
    return Path(config["store"]["root"]) / "teachers" / f"{safe_name(key)}.pt"


def teacher_scaling(scaling: tuple[Tensor, Tensor], standardize: bool) -> tuple[Tensor, Tensor]:
    """What expression is put in units of: each gene's spread, or 1."""
    return scaling if standardize else (torch.zeros(1), torch.ones(1))


def mean_row(rows: Rows) -> Tensor:
    """Over the spots of a section, (d,): by this it is known what the teacher saw."""
    return torch.from_numpy(moments(chunk.numpy() for chunk in in_chunks(rows))[0]).float()


def _expression_graph(fold: Fold, section_id: str, k: int, directions: Directions) -> SpotGraph:
    """Expression and stage 1 graph of a section: k nearest neighbours, undirected, with self
    loops.
    """
    graph = fold.graph(section_id)
    target = fold.sections[section_id].target
    edges = undirected_with_loops(knn_edges(graph.pos, k), len(graph))
    return SpotGraph(section_id, graph.pos, edges, {"expression": directions(target)})


def _latents(config: Config, graphs: Sequence[SpotGraph]) -> dict[str, Tensor]:
    teacher = config["model"]["teacher"]
    pl.seed_everything(config["seed"], verbose=False)
    n_inputs = graphs[0].inputs["expression"][torch.arange(1)].shape[1]
    module = build_teacher(config, n_inputs)
    batching: Batching = build(config["data"]["batching"])
    latents: dict[str, Tensor] = {}
    for turn in [graphs] if teacher["fit"] == "joint" else [[graph] for graph in graphs]:
        _train(
            config,
            module,
            partial(batching.loader, turn, n_inputs, N_HOPS),
            f"teacher, {len(turn)} sections",
        )
        latents |= module.latents(batching.loader(turn, n_inputs, N_HOPS))
    return latents


def _train(
    config: Config, module: pl.LightningModule, loader: Callable[..., BlockLoader], label: str
) -> None:
    teacher = config["model"]["teacher"]
    schedule = {
        "max_epochs": teacher["max_epochs"],
        "gradient_clip_val": teacher["gradient_clip"],
        "num_sanity_val_steps": 0,
    }
    quiet = {"logger": False, "enable_checkpointing": False, "enable_model_summary": False}
    bar = EpochProgress(label)
    trainer = build_trainer(
        config, **schedule, **quiet, strategy="auto", devices=1, num_nodes=1, callbacks=[bar]
    )
    order = Order(config["seed"], lambda: int(trainer.current_epoch))
    blocks = loader(order=order, epochs=True)
    trainer.fit(module, blocks)
    blocks.let_go()  # see `SectionDataModule.teardown`
    module.cpu()
