"""Scores and maps to the loggers, W&B among them."""

from pathlib import Path
from typing import Any

import pytorch_lightning as pl


def log_results(loggers: list[Any], scores: dict[str, float], maps: list[Path]) -> None:
    """Test scores to every logger; maps as images to W&B."""
    for logger in loggers:
        logger.log_metrics(scores)
        if isinstance(logger, pl.loggers.WandbLogger):
            logger.log_image("maps", [str(path) for path in maps], caption=[path.stem for path in maps])


def close(loggers: list[Any]) -> None:
    """End the W&B run: the next fold of a sweep would go on in it."""
    if any(isinstance(logger, pl.loggers.WandbLogger) for logger in loggers):
        import wandb

        wandb.finish()
