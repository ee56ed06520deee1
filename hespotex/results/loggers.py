"""Scores and maps to the loggers, W&B among them."""

from pathlib import Path
from typing import Any

import pytorch_lightning as pl

from hespotex.results.runs import read_genes


def log_results(loggers: list[Any], scores: dict[str, float], folder: Path) -> None:
    """Test scores to every logger; to W&B also the maps as images and the scores of genes as a table."""
    maps = sorted((folder / "maps").glob("*.png"))
    for logger in loggers:
        logger.log_metrics(scores)
        if isinstance(logger, pl.loggers.WandbLogger):
            logger.log_image("maps", [str(path) for path in maps], caption=[path.stem for path in maps])
            logger.log_table("genes", dataframe=read_genes(folder))


def close(loggers: list[Any]) -> None:
    """End the W&B run: the next fold of a sweep would go on in it."""
    if any(isinstance(logger, pl.loggers.WandbLogger) for logger in loggers):
        import wandb

        wandb.finish()
