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

from hespotex.build import Config, build_datamodule, build_list, build_module, build_trainer
from hespotex.callbacks.provenance import Provenance
from hespotex.callbacks.seeding import SeedEachEpoch
from hespotex.checkpoint import load_weights
from hespotex.data.datamodule import SectionDataModule
from hespotex.errors import InputError
from hespotex.files import write_json
from hespotex.provenance import flat
from hespotex.results.about import describe
from hespotex.results.loggers import close, log_results
from hespotex.results.run_folder import RunFolder
from hespotex.results.scores import write_scores
from hespotex.teacher import LEAK, attach_latents

log = logging.getLogger(__name__)


def train(cfg: DictConfig) -> float:
    """Train, choose the epoch, score the test sections; a finished run is not repeated.

    Returns:
        The validation score that chose the epoch, for a hyper-parameter sweep: never a test score. NaN without
        validation sections.
    """
    config: Config = OmegaConf.to_container(cfg, resolve=True, throw_on_missing=True)  # type: ignore[assignment]
    hydra_config = HydraConfig.get()
    _check_devices(config, hydra_config.mode)
    folder = RunFolder(Path(hydra_config.runtime.output_dir))
    first = rank_zero_only.rank == 0
    if first:
        folder.claim(config)
    done = folder.finished() if first or not config["restart"] else None
    if done:
        log.info("%s is finished: nothing to do (restart=true repeats it)", folder.path)
        return float(done["val_score"])
    loggers = build_list(config["logger"])
    try:
        return _run(config, folder, loggers)
    finally:
        close(loggers)


def _run(config: Config, folder: RunFolder, loggers: list[Any]) -> float:
    started = perf_counter()
    datamodule = build_datamodule(config)
    datamodule.prepare_data()
    datamodule.setup()
    if rank_zero_only.rank == 0:
        write_json(folder.path / "split.json", datamodule.split.to_dict())
    embedded = perf_counter()
    teacher = attach_latents(config, datamodule)
    seen = set(teacher["fitted_on"]) if teacher else set[str]()
    about = describe(config, datamodule, [LEAK] if seen & set(datamodule.split.test) else []) | {"teacher": teacher}
    taught = perf_counter()
    module = fitted_closed_form(config, datamodule)
    trainer, best = _fit(config, folder, datamodule, module, loggers, about)
    fitted = perf_counter()
    predictions = predict_test(trainer, module, datamodule)
    if rank_zero_only.rank == 0:
        times = {
            "embed": embedded - started,
            "teacher": taught - embedded,
            "fit": fitted - taught,
            "test": perf_counter() - fitted,
        }
        scores = write_scores(folder.path, datamodule, predictions, about | {"val_score": best, "seconds": times})
        log_results(loggers, scores, sorted((folder.path / "maps").glob("*.png")))
    return best


def fitted_closed_form(config: Config, datamodule: SectionDataModule) -> Any:
    """The module for this fold, with scaling and whatever else needs no epochs taken from the training sections."""
    pl.seed_everything(config["seed"], workers=True, verbose=False)
    module = build_module(config, datamodule.sizes())
    module.set_scaling(*datamodule.scaling(), datamodule.expression.lowest)
    train, val = ([datamodule.data[i] for i in ids] for ids in (datamodule.split.train, datamodule.split.val))
    module.fit_closed_form(train, val)
    return module


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
    trainer = build_trainer(config, callbacks=callbacks, logger=loggers or False, use_distributed_sampler=False)
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
    with torch.inference_mode():
        parts = [module.predict_step(batch.to(device), 0) for batch in datamodule.test_dataloader()]
    return {section_id: values for part in parts for section_id, values in part.items()}


def _check_devices(config: Config, mode: RunMode | None) -> None:
    several = config["trainer"].get("devices") not in (1, "1", [0]) and str(config["trainer"].get("strategy")).startswith("ddp")
    if several and mode == RunMode.MULTIRUN:
        raise InputError(
            "DDP inside a sweep would start the whole sweep again on every rank. Sweep with one device a fold "
            "(trainer=cpu or trainer=gpu, folds side by side with hydra/launcher=joblib), or run single folds with trainer=ddp"
        )
