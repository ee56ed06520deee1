"""LightningDataModule of one fold: its batches."""

from typing import Any

import pytorch_lightning as pl

from hespotex.batches.fold import Fold
from hespotex.batches.loader import BlockLoader, Order


class SectionDataModule(pl.LightningDataModule):
    """Serves the sections of a fold; see `prepare_fold` for how they are made ready.

    Args:
        fold: the sections.
        n_hops: steps along the edges that the model looks away from a spot.
        seed: of the order of the training blocks.
    """

    def __init__(self, fold: Fold, n_hops: int, seed: int = 0) -> None:
        super().__init__()
        self.fold = fold
        self.n_hops = n_hops
        self.seed = seed

    def train_dataloader(self) -> BlockLoader:
        """Blocks of the training sections in an order drawn anew each epoch, shared among the
        ranks.
        """
        trainer: Any = self.trainer
        epoch = lambda: int(trainer.current_epoch)  # noqa: E731
        order = Order(self.seed, epoch, trainer.global_rank, trainer.world_size)
        return self.fold.loader(self.fold.split.train, self.n_hops, order, epochs=True)

    def val_dataloader(self) -> BlockLoader | list[Any]:
        """Every rank validates all sections: they are few, and no rank waits for another. Empty
        where there are none.
        """
        val = self.fold.split.val
        return self.fold.loader(val, self.n_hops, epochs=True) if val else []

    def test_dataloader(self) -> BlockLoader:
        """The test sections in the order of the split."""
        return self.fold.loader(self.fold.split.test, self.n_hops)
