"""Batches of whole sections, the same for one process and for many."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch_geometric.data import Batch, Data


class SectionLoader:
    """Yield batches of sections; with several ranks each takes its share of every batch.

    Sections differ in size and their number need not divide by the ranks, so nothing is repeated or dropped:
    every section carries `weight`, such that the mean over ranks of the weighted sum of section losses is the
    mean over the sections of the batch. A rank that is left without a section gets one of weight 0 and takes
    part in the gradient exchange all the same.

    Args:
        data: one entry a section.
        batch_sections: sections per optimiser step over all ranks together.
        seed: of the order, drawn anew for each epoch; None keeps the given order.
        epoch: tells the current epoch, so that a resumed run draws as an undisturbed one.
    """

    def __init__(
        self,
        data: Sequence[Data],
        batch_sections: int = 1,
        seed: int | None = None,
        epoch: Callable[[], int] = lambda: 0,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        self.data, self.batch_sections, self.seed, self.epoch = list(data), batch_sections, seed, epoch
        self.rank, self.world_size = rank, world_size

    def __len__(self) -> int:
        return -(-len(self.data) // self.batch_sections)

    def __iter__(self) -> Iterator[Batch]:
        order = np.arange(len(self.data))
        if self.seed is not None:
            order = np.random.default_rng([self.seed, self.epoch()]).permutation(order)
        views = np.random.default_rng(None if self.seed is None else [self.seed, self.epoch(), self.rank])
        for start in range(0, len(order), self.batch_sections):
            step = order[start : start + self.batch_sections]
            own = step[self.rank :: self.world_size]
            weight = self.world_size / len(step) if len(own) else 0.0
            yield self._batch(own if len(own) else step[:1], weight, views)

    def _batch(self, numbers: NDArray[np.int64], weight: float, views: np.random.Generator) -> Batch:
        entries = []
        for number in numbers:
            entry = self.data[number].clone()
            entry.weight = torch.tensor([weight])
            if "image_views" in entry and self.seed is not None:
                entry.image_embedding = draw_view(entry.image_views, views)
            entries.append(entry)
        return Batch.from_data_list(entries, exclude_keys=["image_views"])


def draw_view(image_views: Tensor, rng: np.random.Generator) -> Tensor:
    """(n, views, d) -> (n, d), of each spot one view."""
    spots = torch.arange(len(image_views))
    return image_views[spots, torch.from_numpy(rng.integers(image_views.shape[1], size=len(spots)))]
