"""The fit of one fold: what needs no epochs, the epochs, and the prediction of the test
sections.
"""

from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor

from hespotex.batches.datamodule import SectionDataModule
from hespotex.batches.fold import Fold
from hespotex.callbacks.checkpoint_io import WholeCheckpointIO
from hespotex.callbacks.provenance import Provenance
from hespotex.callbacks.seeding import SeedEachEpoch
from hespotex.callbacks.training_log import LogEpochs
from hespotex.common.progress import progress
from hespotex.common.provenance import flat
from hespotex.modules.base import ExpressionModule
from hespotex.records.about import About
from hespotex.records.build import Config, build_list, build_module, build_trainer
from hespotex.records.checkpoint import load_weights
from hespotex.training.calibrate import fit_at_once
from hespotex.training.run_folder import RunFolder


def prepared_module(config: Config, fold: Fold) -> ExpressionModule:
    """The module for this fold, ready for its epochs: what needs none is taken from the training
    sections.
    """
    pl.seed_everything(config["seed"], workers=True, verbose=False)
    module = build_module(config, fold.widths())
    fit_at_once(config, fold, module)
    if config["compile"]:
        module.compile_networks()
    return module


def fit(
    config: Config,
    folder: RunFolder,
    fold: Fold,
    module: Any,
    loggers: list[Any],
    about: About,
) -> tuple[pl.Trainer, float]:
    """Train to the last epoch, going on from a checkpoint if there is one; leaves the chosen epoch
    in `module`.
    """
    validated = bool(fold.split.val)
    checkpoint = pl.callbacks.ModelCheckpoint(
        folder.checkpoints,
        filename="best",
        monitor="val/pcc_gene" if validated else None,
        mode="max",
        save_last=True,
        enable_version_counter=False,
    )
    core = [Provenance(about), SeedEachEpoch(config["seed"]), LogEpochs()]
    callbacks = [checkpoint, *core, *build_list(config["callbacks"])]
    never = {} if validated else {"limit_val_batches": 0}  # Lightning warns of an empty loader
    whole = {"plugins": [WholeCheckpointIO()], "use_distributed_sampler": False}
    trainer = build_trainer(config, callbacks=callbacks, logger=loggers or False, **whole, **never)
    for logger in loggers:
        logger.log_hyperparams(flat(config))
    datamodule = SectionDataModule(fold, module.n_hops, config["seed"])
    trainer.fit(module, datamodule=datamodule, ckpt_path=folder.last_checkpoint, weights_only=True)
    # a closed form takes no optimiser step, so Lightning sees nothing to save
    if not checkpoint.best_model_path:
        trainer.save_checkpoint(folder.checkpoints / "best.ckpt")
        return trainer, float(trainer.callback_metrics.get("val/pcc_gene", torch.nan))
    load_weights(module, Path(checkpoint.best_model_path))
    return trainer, float(
        checkpoint.best_model_score
    ) if checkpoint.best_model_score is not None else float("nan")


def predict_test(trainer: pl.Trainer, module: ExpressionModule, fold: Fold) -> dict[str, Tensor]:
    """Predicted expression (n_spots, n_genes) of each test section; every rank predicts all of
    them.
    """
    module.eval()
    device = trainer.strategy.root_device
    module.to(device)
    batches = progress(fold.loader(fold.split.test, module.n_hops), "batch", "predictions")
    predicted: dict[str, Tensor] = module.predict(batches, device)
    return predicted
