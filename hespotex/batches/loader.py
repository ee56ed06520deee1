"""Batches of sections, or of blocks of large ones, the same for one process and for many."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hespotex.batches.cut import block_spots
from hespotex.batches.spot_graph import SpotGraph
from hespotex.batches.weights import check_unit
from hespotex.embeddings.read_ahead import read_ahead

if TYPE_CHECKING:
    from torch_geometric.data import Batch, Data

WHOLE = 2**62  # spots: no section is larger


@dataclass(frozen=True)
class Order:
    """Which blocks come when, and to whom.

    Args:
        seed: of the order, drawn anew for each epoch; None keeps the given order.
        epoch: tells the current epoch, so that a resumed run draws as an undisturbed one.
        rank: of this process.
        world_size: number of processes that share every batch.
    """

    seed: int | None = None
    epoch: Callable[[], int] = lambda: 0
    rank: int = 0
    world_size: int = 1


AS_GIVEN = Order()


@dataclass(frozen=True)
class Batching:
    """How sections become the batches of a step.

    Args:
        blocks: per optimiser step, over all devices together; a section that fits is one block.
        block_gib: memory that the step of one block takes, about; larger sections are cut.
        keep_gib: blocks stay in memory between epochs up to this.
        weight: what counts alike in a fit: spots, sections or groups; None leaves it to the model:
          closed forms count spots, networks blocks.
    """

    blocks: int = 1
    block_gib: float = 2.0
    keep_gib: float = 2.0
    weight: str | None = None

    def __post_init__(self) -> None:
        check_unit(self.weight)

    def loader(
        self,
        graphs: Sequence[SpotGraph],
        n_genes: int,
        n_hops: int,
        order: Order = AS_GIVEN,
        epochs: bool = False,
        weights: Mapping[str, float] | None = None,
    ) -> BlockLoader:
        """Batches of these sections for a model of `n_genes` that looks `n_hops` away.

        Args:
            epochs: they are gone through many times, so that keeping blocks pays.
            weights: see `BlockLoader`.
        """
        most = block_spots(self.block_gib, n_genes)
        keep = self.keep_gib if epochs else 0.0
        return BlockLoader(graphs, most, n_hops, self.blocks, order, keep, weights)

    def n_steps(self, sizes: Sequence[int], n_genes: int) -> int:
        """Steps of an epoch over sections of so many spots."""
        most = block_spots(self.block_gib, n_genes)
        return -(-sum(-(-size // most) for size in sizes) // self.blocks)


class BlockLoader:
    """Yield batches of blocks; with several ranks each takes its share of every batch.

    A section of up to `block_spots` spots is one block. What a step holds does not depend on the
    number of ranks. Blocks differ in size and their number need not divide by the ranks, so nothing
    is repeated or dropped: the largest goes to the rank that has the fewest spots yet, and every
    block carries `weight`, such that the mean over ranks of the weighted sum of block losses is the
    mean over the blocks of the batch. A rank that is left without a block gets one of weight 0 and
    takes part in the gradient exchange all the same.

    Args:
        graphs: one entry a section.
        block_spots: see `cut`; sections are whole by default.
        n_hops: width of the halo.
        batch_blocks: blocks per optimiser step over all ranks together.
        order: of the blocks, and this rank's share of them.
        keep_gib: blocks are kept as tensors between epochs while they take no more memory than
          this.
        weights: of a spot of each section, see `spot_weights`: blocks carry them as `spot_weight`,
          and count in a step by the weights of their spots.
    """

    def __init__(
        self,
        graphs: Sequence[SpotGraph],
        block_spots: int = WHOLE,
        n_hops: int = 0,
        batch_blocks: int = 1,
        order: Order = AS_GIVEN,
        keep_gib: float = 0.0,
        weights: Mapping[str, float] | None = None,
    ) -> None:
        self.blocks = [
            (graph, block) for graph in graphs for block in graph.blocks(block_spots, n_hops)
        ]
        self.weights = weights
        sums = [block.n_inner * (weights or {}).get(g.section_id, 1.0) for g, block in self.blocks]
        self._share = [len(sums) * own / sum(sums) for own in sums]  # of each block, 1 on average
        self.batch_blocks = batch_blocks
        self.order = order
        self._kept: dict[int, Data] = {}
        self._room = keep_gib * 2**30

    def __len__(self) -> int:
        return -(-len(self.blocks) // self.batch_blocks)

    def let_go(self) -> None:
        """Hold no section and no block any more."""
        self.blocks.clear()
        self._kept.clear()

    def __iter__(self) -> Iterator[Batch]:
        yield from read_ahead(self._batch, self._steps(), workers=1)

    def _steps(self) -> Iterator[tuple[NDArray[np.int64], float, list[int]]]:
        """Of each step: this rank's blocks, their weight, and a seed of the step's own."""
        numbers = np.arange(len(self.blocks))
        drawn = [] if self.order.seed is None else [self.order.seed, self.order.epoch()]
        if drawn:
            numbers = np.random.default_rng(drawn).permutation(numbers)
        for start in range(0, len(numbers), self.batch_blocks):
            step = numbers[start : start + self.batch_blocks]
            own = self._own(step)
            weight = self.order.world_size / len(step) if len(own) else 0.0
            yield (own if len(own) else step[:1]), weight, [*drawn, self.order.rank, start]

    def _own(self, step: NDArray[np.int64]) -> NDArray[np.int64]:
        """The blocks of this rank, in the order of the step."""
        sizes = [self.blocks[i][1].n_inner for i in step]
        load = np.zeros(self.order.world_size, dtype=np.int64)
        rank_of = np.zeros(len(step), dtype=np.int64)
        for place in np.argsort(sizes, kind="stable")[::-1]:
            rank_of[place] = load.argmin()
            load[rank_of[place]] += sizes[place]
        return step[rank_of == self.order.rank]

    def _batch(self, step: tuple[NDArray[np.int64], float, list[int]]) -> Batch:
        from torch_geometric.data import Batch

        numbers, weight, seed = step
        views = np.random.default_rng(seed)
        entries = []
        for number in numbers:
            entry = copy(self._data(number))
            entry.weight = torch.tensor([weight])
            if self.weights is not None:
                entry.weight = entry.weight * self._share[number]
                entry.spot_weight = torch.tensor([self.weights[entry.section_id]])
            if "image_views" in entry and self.order.seed is not None:
                entry.image_embedding = draw_view(entry.image_views, views)
            entries.append(entry)
        return Batch.from_data_list(entries, exclude_keys=["image_views"])

    def _data(self, number: int) -> Data:
        if number in self._kept:
            return self._kept[number]
        graph, block = self.blocks[number]
        data = graph.data(block)
        size = sum(getattr(value, "nbytes", 0) for _, value in data)
        if size <= self._room:
            self._kept[number] = data
            self._room -= size
        return data


def draw_view(image_views: Tensor, rng: np.random.Generator) -> Tensor:
    """(n, views, d) -> (n, d), of each spot one view."""
    spots = torch.arange(len(image_views))
    return image_views[spots, torch.from_numpy(rng.integers(image_views.shape[1], size=len(spots)))]
