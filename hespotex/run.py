"""One run: one model on one fold, from config to scores."""

import logging
from math import isnan
from pathlib import Path
from typing import Any

import torch
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.utilities import rank_zero_only

from hespotex.build import (
    Config,
    build,
    build_datamodule,
    build_list,
    build_metrics,
    build_sections,
    precision,
)
from hespotex.data.datamodule import SectionDataModule
from hespotex.data.folds import ALL
from hespotex.data.sections import Sections
from hespotex.errors import InputError
from hespotex.failures import Failures
from hespotex.files import write_json
from hespotex.fit import fit, predict_test, prepared_module
from hespotex.modules.ceiling import LEAK as CEILING
from hespotex.results.about import describe
from hespotex.results.cost import Laps, cost
from hespotex.results.finite import check_finite
from hespotex.results.loggers import close, log_results
from hespotex.results.run_folder import RunFolder
from hespotex.results.scores import write_scores
from hespotex.teacher import LEAK as TAUGHT
from hespotex.teacher import attach_latents

log = logging.getLogger(__name__)
DIVERGED = (
    "the fit has diverged and the run has no scores: lower model.module.optimizer.lr, or look at the loss of each epoch in "
    "csv/metrics.csv; then name=NEW, or restart=true to replace this run"
)


def train(cfg: DictConfig) -> float:
    """One fold, or with `fold.index=all` every fold into a folder of its own, `fold0`, `fold1`, ...

    Returns:
        The validation score that chose the epoch, for a hyper-parameter sweep: never a test score. NaN without
        validation sections. The mean over folds, where there are several.
    """
    _check_devices(cfg, HydraConfig.get().mode)
    _check_search(cfg)
    score = _every_fold(cfg) if cfg.fold.index == ALL else train_fold(_resolved(cfg))
    if _searches() and isnan(score):
        raise InputError("a search wants a validation score, and no section was set aside: that takes three training sections")
    return score


def _every_fold(cfg: DictConfig) -> float:
    scores, folder = [], Path(cfg.paths.run)
    failures = Failures("fold", folder)
    config = _resolved(cfg)
    sections = build_sections(config, keep=True)
    for index in _possible_folds(config, sections):
        one = cfg.copy()
        one.fold.index, one.paths.run = index, str(folder / f"fold{index}")
        with failures.of(str(index)):
            scores.append(train_fold(_resolved(one), sections))
    failures.check()
    return float(torch.tensor(scores).nanmean())


def _resolved(cfg: DictConfig) -> Config:
    config: Config = OmegaConf.to_container(cfg, resolve=True, throw_on_missing=True)  # type: ignore[assignment]
    config["trainer"]["precision"] = precision(config["trainer"])
    return config


def _possible_folds(config: Config, sections: Sections) -> list[int]:
    possible: list[int] = build(config["fold"]).possible(list(sections.keys.values()))
    if not possible:
        log.warning("%s: these sections have no such fold, nothing to do", config["fold"]["name"])
    return possible


def train_fold(config: Config, sections: Sections | None = None) -> float:
    """Train, choose the epoch, score the test sections; a finished run is not repeated.

    Args:
        config: resolved.
        sections: of the data set, where several folds share them.
    """
    folder = RunFolder(Path(config["paths"]["run"]))
    first = rank_zero_only.rank == 0
    if first:
        folder.claim(config)
    done = folder.finished() if first or not config["restart"] else None
    if done:
        log.info("%s is finished: nothing to do (restart=true repeats it)", folder.path)
        return float(done["val_score"])
    if first:
        folder.set_aside_unreadable()
    loggers = build_list(config["logger"])
    try:
        return _run(config, folder, loggers, build_datamodule(config, sections))
    finally:
        close(loggers)


def _run(config: Config, folder: RunFolder, loggers: list[Any], datamodule: SectionDataModule) -> float:
    clock, metrics = Laps(), build_metrics(config)
    datamodule.prepare_data()
    datamodule.setup()
    if rank_zero_only.rank == 0:
        write_json(folder.path / "split.json", datamodule.split.to_dict())
    clock.lap("embed")
    teacher = attach_latents(config, datamodule)
    about = describe(config, datamodule, _leaks(config, datamodule, teacher)) | {"teacher": teacher}
    clock.lap("teacher")
    module = prepared_module(config, datamodule)
    trainer, best = fit(config, folder, datamodule, module, loggers, about)
    clock.lap("fit")
    predictions = predict_test(trainer, module, datamodule)
    check_finite(predictions, DIVERGED)
    clock.lap("predict")
    if rank_zero_only.rank == 0:
        costs = cost(module, clock.seconds, sum(len(values) for values in predictions.values()))
        scores = write_scores(folder.path, datamodule, predictions, about | {"val_score": best, "cost": costs}, metrics)
        log_results(loggers, scores, folder.path)
    return best


def _leaks(config: Config, datamodule: SectionDataModule, teacher: Config | None) -> list[str]:
    """What the model itself has seen of the test sections."""
    taught = teacher is not None and set(teacher["fitted_on"]) & set(datamodule.split.test)
    return [*([TAUGHT] if taught else []), *([CEILING] if config["model"]["role"] == "ceiling" else [])]


def _searches() -> bool:
    """Whether a sweeper waits for the score to choose the next settings."""
    hydra = HydraConfig.get()
    return hydra.mode == RunMode.MULTIRUN and "optuna" in str(hydra.sweeper.get("_target_")).lower()


def _check_search(cfg: DictConfig) -> None:
    if _searches() and cfg.model.select_on != "validation":
        raise InputError(
            "a search wants a validation score, and this model sets no section aside: add model.select_on=validation"
        )


def _check_devices(cfg: DictConfig, mode: RunMode | None) -> None:
    several = cfg.trainer.get("devices") not in (1, "1", [0]) and str(cfg.trainer.get("strategy")).startswith("ddp")
    if several and mode == RunMode.MULTIRUN:
        raise InputError(
            "DDP inside a sweep would start the whole sweep again on every rank. Sweep with one device a fold "
            "(trainer=cpu or trainer=gpu, folds side by side with hydra/launcher=joblib), or run single folds with trainer=ddp"
        )
