"""LightningDataModule of one fold: its batches."""

from collections.abc import Sequence
from typing import Any

import pytorch_lightning as pl

from hespotex.batches.fold import Fold
from hespotex.batches.loader import AS_GIVEN, BlockLoader, Order


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
        self._served: list[BlockLoader] = []

    def train_dataloader(self) -> BlockLoader:
        """Blocks of the training sections in an order drawn anew each epoch, shared among the
        ranks.
        """
        trainer: Any = self.trainer
        epoch = lambda: int(trainer.current_epoch)  # noqa: E731
        order = Order(self.seed, epoch, trainer.global_rank, trainer.world_size)
        return self._loader(self.fold.split.train, order, epochs=True)

    def val_dataloader(self) -> BlockLoader | list[Any]:
        """Every rank validates all sections: they are few, and no rank waits for another. Empty
        where there are none.
        """
        val = self.fold.split.val
        return self._loader(val, epochs=True) if val else []

    def test_dataloader(self) -> BlockLoader:
        """The test sections in the order of the split."""
        return self._loader(self.fold.split.test)

    def _loader(
        self, ids: Sequence[str], order: Order = AS_GIVEN, epochs: bool = False
    ) -> BlockLoader:
        self._served.append(self.fold.loader(ids, self.n_hops, order, epochs))
        return self._served[-1]

    def teardown(self, stage: str) -> None:
        """Let go of the sections and of all blocks: Lightning's objects know one another, and would
        hold them until Python looks for such circles.
        """
        for loader in self._served:
            loader.let_go()
        self.__dict__.pop("fold", None)
