"""Random numbers that depend on the epoch alone, so that a resumed run draws as an undisturbed
one.
"""

import numpy as np
import pytorch_lightning as pl
import torch


class SeedEachEpoch(pl.Callback):
    """Seeds torch (dropout) from the run's seed, the epoch and the rank at the start of each
    training epoch.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Set torch's generator in this process, whatever was drawn from it before."""
        entropy = np.random.SeedSequence([self.seed, trainer.current_epoch, trainer.global_rank])
        torch.manual_seed(int(entropy.generate_state(1, np.uint64)[0]) >> 1)
