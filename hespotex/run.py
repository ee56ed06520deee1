"""One run: one model on one fold, from config to scores."""

import logging
from pathlib import Path
from time import perf_counter
from typing import Any

import pytorch_lightning as pl
import torch
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.utilities import rank_zero_only
from torch import Tensor

from hespotex.build import (
    Config,
    build,
    build_datamodule,
    build_list,
    build_metrics,
    build_module,
    build_sections,
    build_trainer,
    precision,
)
from hespotex.callbacks.provenance import Provenance
from hespotex.callbacks.seeding import SeedEachEpoch
from hespotex.checkpoint import load_weights
from hespotex.data.datamodule import SectionDataModule
from hespotex.data.sections import Sections
from hespotex.errors import InputError
from hespotex.files import write_json
from hespotex.modules.ceiling import LEAK as CEILING
from hespotex.modules.ceiling import CeilingModule
from hespotex.progress import progress
from hespotex.provenance import flat
from hespotex.results.about import describe
from hespotex.results.cost import cost
from hespotex.results.loggers import close, log_results
from hespotex.results.run_folder import RunFolder
from hespotex.results.scores import write_scores
from hespotex.teacher import LEAK, attach_latents

log = logging.getLogger(__name__)
ALL = "all"  # fold.index: every fold, one after the other


def train(cfg: DictConfig) -> float:
    """One fold, or with `fold.index=all` every fold into a folder of its own, `fold0`, `fold1`, ...

    Returns:
        The validation score that chose the epoch, for a hyper-parameter sweep: never a test score. NaN without
        validation sections. The mean over folds, where there are several.
    """
    _check_devices(cfg, HydraConfig.get().mode)
    _check_search(cfg)
    if cfg.fold.index != ALL:
        return train_fold(_resolved(cfg))
    scores, folder = [], Path(cfg.paths.run)
    config = _resolved(cfg)
    sections = build_sections(config, keep=True)
    for index in _possible_folds(config, sections):
        one = cfg.copy()
        one.fold.index, one.paths.run = index, str(folder / f"fold{index}")
        scores.append(train_fold(_resolved(one), sections))
    return float(torch.tensor(scores).nanmean())


def _resolved(cfg: DictConfig) -> Config:
    config: Config = OmegaConf.to_container(cfg, resolve=True, throw_on_missing=True)  # type: ignore[assignment]
    config["trainer"]["precision"] = precision(config["trainer"])
    return config


def _possible_folds(config: Config, sections: Sections) -> list[int]:
    """Numbers of the folds that leave something to train on."""
    folds = build(config["fold"]).folds(list(sections.keys.values()))
    possible = [index for index, (rest, test) in enumerate(folds) if rest and test]
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
    loggers = build_list(config["logger"])
    try:
        return _run(config, folder, loggers, build_datamodule(config, sections))
    finally:
        close(loggers)


def _run(config: Config, folder: RunFolder, loggers: list[Any], datamodule: SectionDataModule) -> float:
    started, metrics = perf_counter(), build_metrics(config)
    datamodule.prepare_data()
    datamodule.setup()
    if rank_zero_only.rank == 0:
        write_json(folder.path / "split.json", datamodule.split.to_dict())
    embedded = perf_counter()
    teacher = attach_latents(config, datamodule)
    about = describe(config, datamodule, _leaks(config, datamodule, teacher["fitted_on"] if teacher else [])) | {
        "teacher": teacher
    }
    taught = perf_counter()
    module = fitted_closed_form(config, datamodule)
    if config["compile"]:
        module.compile_networks()
    trainer, best = _fit(config, folder, datamodule, module, loggers, about)
    fitted = perf_counter()
    predictions = predict_test(trainer, module, datamodule)
    if rank_zero_only.rank == 0:
        seconds = {
            "embed": embedded - started,
            "teacher": taught - embedded,
            "fit": fitted - taught,
            "predict": perf_counter() - fitted,
        }
        costs = cost(module, seconds, sum(len(values) for values in predictions.values()))
        scores = write_scores(folder.path, datamodule, predictions, about | {"val_score": best, "cost": costs}, metrics)
        log_results(loggers, scores, folder.path)
    return best


def fitted_closed_form(config: Config, datamodule: SectionDataModule) -> Any:
    """The module for this fold, with scaling and whatever else needs no epochs taken from the training sections."""
    pl.seed_everything(config["seed"], workers=True, verbose=False)
    module = build_module(config, datamodule.sizes())
    module.set_scaling(*datamodule.scaling(), datamodule.expression.lowest)
    datamodule.n_hops = module.n_hops
    with torch.no_grad():
        module.fit_closed_form(datamodule.loader(datamodule.split.train), datamodule.loader(datamodule.split.val))
    if isinstance(module, CeilingModule):
        whole = {i: graph.whole() for i, graph in datamodule.data.items()}
        module.fit_replicates(whole, {i: datamodule.keys[i].group for i in datamodule.section_ids})
    return module


def _leaks(config: Config, datamodule: SectionDataModule, taught: list[str]) -> list[str]:
    """What the model itself has seen of the test sections; `taught`: the sections that the teacher saw."""
    by_teacher = [LEAK] if set(taught) & set(datamodule.split.test) else []
    return [*by_teacher, *([CEILING] if config["model"]["role"] == "ceiling" else [])]


def _fit(
    config: Config, folder: RunFolder, datamodule: SectionDataModule, module: Any, loggers: list[Any], about: dict[str, Any]
) -> tuple[pl.Trainer, float]:
    """Train to the last epoch, going on from a checkpoint if there is one; leaves the chosen epoch in `module`."""
    validated = bool(datamodule.split.val)
    checkpoint = pl.callbacks.ModelCheckpoint(
        folder.checkpoints,
        filename="best",
        monitor="val/pcc_gene" if validated else None,
        mode="max",
        save_last=True,
        enable_version_counter=False,
    )
    callbacks = [checkpoint, Provenance(about), SeedEachEpoch(config["seed"]), *build_list(config["callbacks"])]
    never = {} if validated else {"limit_val_batches": 0}  # Lightning warns of an empty loader
    trainer = build_trainer(config, callbacks=callbacks, logger=loggers or False, use_distributed_sampler=False, **never)
    for logger in loggers:
        logger.log_hyperparams(flat(config))
    trainer.fit(module, datamodule=datamodule, ckpt_path=folder.last_checkpoint, weights_only=True)
    if not checkpoint.best_model_path:  # a closed form takes no optimiser step, so Lightning sees nothing to save
        trainer.save_checkpoint(folder.checkpoints / "best.ckpt")
        return trainer, float(trainer.callback_metrics.get("val/pcc_gene", torch.nan))
    load_weights(module, Path(checkpoint.best_model_path))
    return trainer, float(checkpoint.best_model_score) if checkpoint.best_model_score is not None else float("nan")


def predict_test(trainer: pl.Trainer, module: Any, datamodule: SectionDataModule) -> dict[str, Tensor]:
    """Predicted expression (n_spots, n_genes) of each test section; every rank predicts all of them."""
    module.eval()
    device = trainer.strategy.root_device
    module.to(device)
    batches = progress(datamodule.test_dataloader(), "batch", "predictions")
    predicted: dict[str, Tensor] = module.predict(batches, device)
    return predicted


def _check_search(cfg: DictConfig) -> None:
    searches = "optuna" in str(HydraConfig.get().sweeper.get("_target_")).lower() and HydraConfig.get().mode == RunMode.MULTIRUN
    if searches and cfg.model.select_on != "validation":
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
