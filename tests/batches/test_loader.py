"""Batches of blocks: every block once an epoch, each with the same say, for any number of ranks."""

import numpy as np
import pytest
import torch

from hespotex.batches.loader import Batching, BlockLoader, Order
from hespotex.batches.spot_graph import SpotGraph
from hespotex.sections.graph import knn_edges


def graph(name: str, n: int) -> SpotGraph:
    pos = np.random.default_rng(n).uniform(0, 1000, (n, 2))
    numbers = torch.arange(n, dtype=torch.float32)[:, None]
    return SpotGraph(name, pos, knn_edges(pos, 2), {"x": numbers}, outcomes={"y": -numbers})


def sections(n: int) -> list[SpotGraph]:
    return [graph(f"S{i}", 3 + i) for i in range(n)]


def ids(loader: BlockLoader) -> list[list[str]]:
    return [list(batch.section_id) for batch in loader]


@pytest.mark.parametrize("n", [1, 2, 5, 8])
@pytest.mark.parametrize("batch_blocks", [1, 2, 3, 10])
@pytest.mark.parametrize("seed", [None, 0])
def test_every_section_once_per_epoch(n: int, batch_blocks: int, seed: int | None) -> None:
    loader = BlockLoader(sections(n), batch_blocks=batch_blocks, order=Order(seed))
    batches = ids(loader)
    assert sorted(i for batch in batches for i in batch) == [f"S{i}" for i in range(n)]
    assert len(batches) == len(loader) and all(len(batch) <= batch_blocks for batch in batches)
    if seed is None:
        assert [i for batch in batches for i in batch] == [f"S{i}" for i in range(n)]


@pytest.mark.parametrize("world_size", [1, 2, 3])
@pytest.mark.parametrize("n", [1, 2, 5, 7])
@pytest.mark.parametrize("batch_blocks", [1, 2, 3, 4])
def test_mean_over_ranks_is_the_mean_over_sections(
    world_size: int, n: int, batch_blocks: int
) -> None:
    orders = [Order(1, rank=rank, world_size=world_size) for rank in range(world_size)]
    ranks = [
        list(BlockLoader(sections(n), batch_blocks=batch_blocks, order=order)) for order in orders
    ]
    assert len({len(batches) for batches in ranks}) == 1  # no rank waits for another
    seen: list[str] = []
    for step in zip(*ranks, strict=True):
        sums = []
        loss = {}
        for batch in step:
            total = 0.0
            for section_id, weight in zip(batch.section_id, batch.weight.tolist(), strict=True):
                total += weight * float(section_id[1:]) ** 2
                if weight > 0:
                    assert section_id not in loss
                    loss[section_id] = float(section_id[1:]) ** 2
            sums.append(total)
        assert sum(sums) / world_size == pytest.approx(sum(loss.values()) / len(loss))
        seen += list(loss)
    assert sorted(seen) == [f"S{i}" for i in range(n)]


@pytest.mark.parametrize("world_size", [2, 3, 4])
def test_ranks_have_equal_work_however_uneven_the_sections(world_size: int) -> None:
    """Sections of 40 to 900 spots in blocks of at most 50, 16 blocks a step: no rank has much more
    than another.
    """
    uneven = [graph(f"S{n}", n) for n in (40, 900, 333, 75, 510)]
    orders = [Order(0, rank=rank, world_size=world_size) for rank in range(world_size)]
    ranks = [BlockLoader(uneven, 50, 1, 16, order) for order in orders]
    spots = np.array([[int(batch.n_inner.sum()) for batch in loader] for loader in ranks])
    assert spots.sum() == 40 + 900 + 333 + 75 + 510
    full = spots[:, :-1]  # the last step has what is left
    assert (full.max(axis=0) - full.min(axis=0)).max() <= 50
    assert full.max(axis=0).sum() < 1.15 * full.mean(axis=0).sum()


def test_one_weight_a_section_and_edges_stay_in_their_section() -> None:
    graphs = sections(3)
    (batch,) = BlockLoader(graphs, batch_blocks=3)
    assert batch.weight.tolist() == pytest.approx([1 / 3] * 3) and batch.n_spots.tolist() == [
        3,
        4,
        5,
    ]
    parts = [
        torch.from_numpy(each.edges) + start for each, start in zip(graphs, (0, 3, 7), strict=True)
    ]
    assert torch.equal(batch.edge_index, torch.cat(parts, dim=1))


def test_rows_of_a_block_are_those_of_its_spots() -> None:
    for batch in BlockLoader([graph("S", 60)], block_spots=20, n_hops=2, batch_blocks=2):
        assert (
            len(batch.x)
            == len(batch.inner)
            > len(batch.y)
            == int(batch.inner.sum())
            == int(batch.n_inner.sum())
        )
        assert torch.equal(batch.x[batch.inner], -batch.y)
        assert torch.equal(batch.spot, batch.x[batch.inner, 0].long())


@pytest.mark.parametrize("keep_gib", [0.0, 1e-6, 1.0])
def test_kept_blocks_are_the_same_blocks(keep_gib: float) -> None:
    kept = BlockLoader(sections(5), batch_blocks=2, order=Order(0), keep_gib=keep_gib)
    fresh = BlockLoader(sections(5), batch_blocks=2, order=Order(0))
    for _ in range(3):
        for one, other in zip(kept, fresh, strict=True):
            assert torch.equal(one.x, other.x) and torch.equal(one.weight, other.weight)


def test_order_by_seed_and_epoch() -> None:
    epoch = 0
    loader = BlockLoader(sections(12), batch_blocks=2, order=Order(3, lambda: epoch))
    first = ids(loader)
    again = ids(loader)
    epoch = 1
    second = ids(loader)
    assert first == again != second
    # as a resumed run
    assert second == ids(BlockLoader(sections(12), batch_blocks=2, order=Order(3, lambda: 1)))
    assert first != ids(BlockLoader(sections(12), batch_blocks=2, order=Order(4)))


@pytest.mark.parametrize("sizes", [[10], [30, 2], [16, 17, 100]])
@pytest.mark.parametrize("blocks", [1, 3])
def test_steps_are_counted_without_the_sections(sizes: list[int], blocks: int) -> None:
    batching = Batching(blocks, block_gib=0.0)
    loader = batching.loader([graph(f"S{n}", n) for n in sizes], 1000, 1)
    assert batching.n_steps(sizes, 1000) == len(loader) == len(list(loader))
