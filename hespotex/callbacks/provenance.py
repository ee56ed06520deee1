"""Puts into each checkpoint what `predict.py` and a reviewer need."""

from collections.abc import Mapping
from typing import Any

import pytorch_lightning as pl

from hespotex.common.provenance import KEY


class Provenance(pl.Callback):
    """Adds plain facts under `checkpoint["hespotex"]`: config, gene panel, preprocessing, split,
    versions.
    """

    def __init__(self, about: Mapping[str, Any]) -> None:
        self.about = about

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Add the facts to the checkpoint that is about to be written."""
        checkpoint[KEY] = self.about
