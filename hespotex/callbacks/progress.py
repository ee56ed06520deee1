"""Where a fit is, in one bar over its epochs."""

import pytorch_lightning as pl

from hespotex.common.progress import progress_bar


class EpochProgress(pl.Callback):
    """One bar over the epochs, with the latest metrics; on the first rank only.

    Args:
        label: shown before the bar.
    """

    def __init__(self, label: str = "fit") -> None:
        self.label = label

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Open the bar, at the epoch from which a resumed run goes on."""
        self.bar = progress_bar(
            int(trainer.max_epochs or 0),
            "epoch",
            self.label,
            initial=trainer.current_epoch,
            disable=not trainer.is_global_zero,
        )

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Move one epoch on, and show all metrics with three decimals."""
        self.bar.set_postfix(
            {name: f"{value:.3f}" for name, value in trainer.callback_metrics.items()},
            refresh=False,
        )
        self.bar.update()

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Close the bar, full or not."""
        self.bar.close()

    def on_exception(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException
    ) -> None:
        """Close the bar before the error is told, if it was opened."""
        if hasattr(self, "bar"):
            self.bar.close()
