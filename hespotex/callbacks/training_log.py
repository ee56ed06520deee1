"""The training log: one row an epoch, whole after every interruption."""

import csv
import logging
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.loggers import Logger

from hespotex.common.files import atomic_path

log = logging.getLogger(__name__)
Row = dict[str, str]


class TrainingLog(Logger):
    """`metrics.csv` with epoch, step, and the loss and validation scores of each epoch.

    The row of an epoch is there before the epoch's checkpoint is, and a run that goes on from a
    checkpoint writes over the rows after it. What Lightning sends to loggers comes later than its
    checkpoint, so it is not used.

    Args:
        folder: of `metrics.csv`.
    """

    def __init__(self, folder: str) -> None:
        super().__init__()
        self.path = Path(folder) / "metrics.csv"

    @property
    def name(self) -> str:
        """What Lightning calls this logger; it names no folder."""
        return "csv"

    @property
    def version(self) -> str:
        """Empty, as each run has a folder of its own."""
        return ""

    def log_hyperparams(self, *_: Any, **__: Any) -> None:
        """They stand in `config.json`."""

    def log_metrics(self, *_: Any, **__: Any) -> None:
        """See the class."""

    def write(self, epoch: int, step: int, metrics: dict[str, float]) -> None:
        """Add the row of an epoch, after those of earlier ones."""
        row = {"epoch": str(epoch), "step": str(step)} | {
            name: str(metrics[name]) for name in sorted(metrics)
        }
        rows = [*self._rows_before(epoch), row]
        with (
            atomic_path(self.path) as partial,
            partial.open("w", newline="", encoding="utf-8") as file,
        ):
            writer = csv.DictWriter(
                file, fieldnames=list(dict.fromkeys(name for row in rows for name in row))
            )
            writer.writeheader()
            writer.writerows(rows)

    def _rows_before(self, epoch: int) -> list[Row]:
        if not epoch or not self.path.is_file():
            return []
        try:
            with self.path.open(newline="", encoding="utf-8") as file:
                return [row for row in csv.DictReader(file) if int(row["epoch"]) < epoch]
        except (KeyError, ValueError, TypeError, csv.Error) as error:
            log.warning(
                "%s cannot be read (%s): it begins anew at epoch %d", self.path, error, epoch
            )
            return []


class LogEpochs(pl.Callback):
    """Writes each epoch into the training logs of the trainer, on the first rank."""

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Write the row of this epoch; nothing where there are no metrics yet."""
        metrics = {name: float(value) for name, value in trainer.callback_metrics.items()}
        for logger in trainer.loggers:
            if isinstance(logger, TrainingLog) and trainer.is_global_zero and metrics:
                logger.write(trainer.current_epoch, trainer.global_step - 1, metrics)
