"""One run: one model on one fold, from config to scores."""

import logging
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from math import isnan, nan
from pathlib import Path
from typing import Any

import torch
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig
from pytorch_lightning.utilities import rank_zero_only
from torch import Tensor

from hespotex.batches.fold import Fold
from hespotex.common.errors import InputError
from hespotex.common.failures import Failures
from hespotex.common.files import write_json
from hespotex.common.locks import alone_in
from hespotex.common.numerics.heap import return_freed_memory
from hespotex.embeddings.probe import ReadOff, probe, unless_it_fails
from hespotex.modules.base import ExpressionModule
from hespotex.records.about import About
from hespotex.records.build import (
    Config,
    build,
    build_fold,
    build_list,
    build_metrics,
    build_sections,
    precision,
    resolved,
)
from hespotex.records.layout import SPLIT
from hespotex.results.about import describe
from hespotex.results.cost import Laps, cost, parameters
from hespotex.results.finite import check_finite
from hespotex.results.loggers import check_login, check_packages, close, log_results
from hespotex.results.scores import write_scores
from hespotex.sections.sections import Sections
from hespotex.splits.strategies import ALL
from hespotex.training.fit import fit, predict_test, prepared_module
from hespotex.training.given import Given
from hespotex.training.partial import score_partial
from hespotex.training.replicates import LEAK as CEILING
from hespotex.training.replicates import write_facts
from hespotex.training.run_folder import OtherRun, RunFolder
from hespotex.training.teacher import LEAK as TAUGHT
from hespotex.training.teacher import attach_latents

log = logging.getLogger(__name__)
DIVERGED = (
    "the fit has diverged and the run has no scores: lower model.module.optimizer.lr, or look at"
    " the loss of each epoch in csv/metrics.csv; then name=NEW, or restart=true to replace this run"
)


def train(cfg: DictConfig) -> float:
    """One fold, or with `fold.index=all` every fold into a folder of its own, `fold0`, `fold1`, ...

    Returns:
        The validation score that chose the epoch, for a hyper-parameter sweep: never a test score.
        NaN without validation sections. The mean over folds, where there are several.
    """
    _check_devices(cfg, HydraConfig.get().mode)
    _check_search(cfg)
    score = every_fold(cfg) if cfg.fold.index == ALL else train_fold(on_this_machine(cfg))
    if _searches() and isnan(score):
        raise InputError(
            "a search wants a validation score, and no section was set aside: that takes three"
            " training sections"
        )
    return score


def every_fold(cfg: DictConfig) -> float:
    """Each fold into a folder of its own below `paths.run`; the mean of their validation scores.

    Raises:
        InputError: one of the folders holds another run, and nothing was done; or at the end, where
          folds failed, and the others are finished.
    """
    scores = []
    folder = Path(cfg.paths.run)
    config = on_this_machine(cfg)
    sections = build_sections(config)
    folds = {index: _one_fold(cfg, folder, index) for index in _possible_folds(config, sections)}
    for one in folds.values():
        _refuse_other_run(one)
    failures = Failures("fold", folder)
    for index, one in folds.items():
        with failures.of(str(index)):
            scores.append(train_fold(one, sections))
    failures.check()
    return float(torch.tensor(scores).nanmean())


def _refuse_other_run(config: Config) -> None:
    """Before any fold; what cannot be read is the failure of its own fold."""
    try:
        RunFolder(Path(config["paths"]["run"])).check(config)
    except OtherRun:
        raise
    except InputError as error:
        log.debug("%s", error)


def _one_fold(cfg: DictConfig, folder: Path, index: int) -> Config:
    one = cfg.copy()
    one.fold.index = index
    one.paths.run = str(folder / f"fold{index}")
    return on_this_machine(one)


def on_this_machine(cfg: DictConfig) -> Config:
    """The config as plain values, with the precision of this machine."""
    config = resolved(cfg)
    config["trainer"]["precision"] = precision(config["trainer"])
    return config


def _possible_folds(config: Config, sections: Sections) -> list[int]:
    possible: list[int] = build(config["fold"]).possible(list(sections.keys.values()))
    if not possible:
        log.warning("%s: these sections have no such fold, nothing to do", config["fold"]["name"])
    return possible


def train_fold(
    config: Config, sections: Sections | None = None, leaks: Sequence[str] = ()
) -> float:
    """Train, choose the epoch, score the test sections; a finished run is not repeated.

    Args:
        config: resolved.
        sections: of the data set, where several folds share them.
        leaks: labels that the run carries from elsewhere.
    """
    folder = RunFolder(Path(config["paths"]["run"]))
    first = rank_zero_only.rank == 0
    try:
        with alone_in(folder.path, "choose name=NEW") if first else nullcontext():
            return _train_alone(config, folder, sections, first, leaks)
    finally:
        return_freed_memory()


def _train_alone(
    config: Config, folder: RunFolder, sections: Sections | None, first: bool, leaks: Sequence[str]
) -> float:
    if first:
        folder.claim(config)
    done = folder.finished() if first or not config["restart"] else None
    if done:
        log.info("%s is finished: nothing to do (restart=true repeats it)", folder.path)
        return float(done["val_score"])
    if first:
        folder.set_aside_unreadable()
    check_packages(config["logger"])
    loggers = build_list(config["logger"])
    check_login(loggers)
    try:
        return _run(config, folder, loggers, sections, leaks)
    finally:
        close(loggers)


def _run(
    config: Config,
    folder: RunFolder,
    loggers: list[Any],
    sections: Sections | None,
    leaks: Sequence[str],
) -> float:
    clock = Laps()
    metrics = build_metrics(config)
    request = Given.of(config)
    fold = build_fold(config, sections)
    if rank_zero_only.rank == 0:
        write_json(folder.path / SPLIT, fold.split.to_dict())
    clock.lap("embed")
    fold, teacher = attach_latents(config, fold)
    all_leaks = [*_leaks(config, fold, teacher), *leaks]
    about = describe(config, fold, all_leaks) | {"teacher": teacher}
    clock.lap("teacher")
    if config["model"].get("reference"):
        result = _look_up(config, folder, fold, about, clock)
    else:
        result = _train(config, folder, fold, loggers, about, clock)
    clock.lap("predict")
    if rank_zero_only.rank == 0:
        costs = cost(result.n_parameters, clock.seconds, sum(map(len, result.predictions.values())))
        if request:
            score_partial(config, request, fold, result.predictions, folder.path, result.module)
        about |= {"val_score": result.val_score, "cost": costs, "read_off": read_off(fold)}
        scores = write_scores(folder.path, fold, result.predictions, about, metrics)
        log_results(loggers, scores, folder.path)
    return result.val_score


def read_off(fold: Fold) -> ReadOff:
    """Whether the sections of the fold can be told apart by their embeddings; see `probe`."""
    rows = {i: fold.graph(i).inputs["image_embedding"] for i in fold.section_ids}
    return unless_it_fails(lambda: probe(rows, {i: fold.group(i) for i in rows}))


@dataclass(frozen=True)
class Result:
    """What a run came to: test predictions (n_spots, n_genes), the score that chose the epoch,
    numbers fitted, and the model, unless it was a reference.
    """

    predictions: dict[str, Tensor]
    val_score: float
    n_parameters: int
    module: ExpressionModule | None = None


def _train(
    config: Config,
    folder: RunFolder,
    fold: Fold,
    loggers: list[Any],
    about: About,
    clock: Laps,
) -> Result:
    """A model, trained and asked for the test sections."""
    module = prepared_module(config, fold)
    trainer, best = fit(config, folder, fold, module, loggers, about)
    clock.lap("fit")
    predictions = predict_test(trainer, module, fold) if fold.split.test else {}
    check_finite(predictions, DIVERGED)
    return Result(predictions, best, parameters(module), module)


def _look_up(config: Config, folder: RunFolder, fold: Fold, about: About, clock: Laps) -> Result:
    """A reference, which is scored beside the models and is none."""
    reference = build(config["model"]["reference"])
    if rank_zero_only.rank == 0:
        write_facts(folder.checkpoints / "best.ckpt", fold, about)
    clock.lap("fit")
    predictions = reference(fold)
    check_finite(predictions, "are the counts of its neighbours whole? See model.reference")
    return Result(predictions, nan, 0)


def _leaks(config: Config, fold: Fold, teacher: Config | None) -> list[str]:
    """What the model itself has seen of the test sections."""
    taught = teacher is not None and set(teacher["fitted_on"]) & set(fold.split.test)
    return [
        *([TAUGHT] if taught else []),
        *([CEILING] if config["model"]["role"] == "ceiling" else []),
    ]


def _searches() -> bool:
    """Whether a sweeper waits for the score to choose the next settings."""
    hydra = HydraConfig.get()
    return hydra.mode == RunMode.MULTIRUN and "optuna" in str(hydra.sweeper.get("_target_")).lower()


def _check_search(cfg: DictConfig) -> None:
    if _searches() and cfg.model.select_on != "validation":
        raise InputError(
            "a search wants a validation score, and this model sets no section aside: add"
            " model.select_on=validation"
        )
    if _searches() and "maximize" not in str(
        HydraConfig.get().sweeper.get("direction", "maximize")
    ):
        raise InputError(
            "a search wants the highest validation score: take hydra/sweeper=search, or add"
            " hydra.sweeper.direction=maximize"
        )


def _check_devices(cfg: DictConfig, mode: RunMode | None) -> None:
    several = cfg.trainer.get("devices") not in (1, "1", [0]) and str(
        cfg.trainer.get("strategy")
    ).startswith("ddp")
    if several and mode == RunMode.MULTIRUN:
        raise InputError(
            "DDP inside a sweep would start the whole sweep again on every rank. Sweep with one"
            " device a fold (trainer=cpu or trainer=gpu, folds side by side with"
            " hydra/launcher=joblib), or run single folds with trainer=ddp"
        )
