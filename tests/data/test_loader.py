"""Batches of sections: every section once an epoch, each with the same say, for any number of ranks."""

import pytest
import torch
from torch_geometric.data import Data

from hespotex.data.loader import SectionLoader


def sections(n: int) -> list[Data]:
    return [Data(x=torch.full((3 + i, 1), float(i)), section_id=f"S{i}", num_nodes=3 + i) for i in range(n)]


def ids(loader: SectionLoader) -> list[list[str]]:
    return [list(batch.section_id) for batch in loader]


@pytest.mark.parametrize("n", [1, 2, 5, 8])
@pytest.mark.parametrize("batch_sections", [1, 2, 3, 10])
@pytest.mark.parametrize("seed", [None, 0])
def test_every_section_once_per_epoch(n: int, batch_sections: int, seed: int | None) -> None:
    loader = SectionLoader(sections(n), batch_sections, seed)
    batches = ids(loader)
    assert sorted(i for batch in batches for i in batch) == [f"S{i}" for i in range(n)]
    assert len(batches) == len(loader) and all(len(batch) <= batch_sections for batch in batches)
    if seed is None:
        assert [i for batch in batches for i in batch] == [f"S{i}" for i in range(n)]


@pytest.mark.parametrize("world_size", [1, 2, 3])
@pytest.mark.parametrize("n", [1, 2, 5, 7])
@pytest.mark.parametrize("batch_sections", [1, 2, 3, 4])
def test_mean_over_ranks_is_the_mean_over_sections(world_size: int, n: int, batch_sections: int) -> None:
    ranks = [list(SectionLoader(sections(n), batch_sections, 1, rank=r, world_size=world_size)) for r in range(world_size)]
    assert len({len(batches) for batches in ranks}) == 1  # no rank waits for another
    seen: list[str] = []
    for step in zip(*ranks, strict=True):
        sums, loss = [], {}
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


def test_one_weight_a_section_and_edges_stay_in_their_section() -> None:
    data = sections(3)
    for entry in data:
        entry.edge_index = torch.tensor([[0], [1]])
    (batch,) = SectionLoader(data, 3)
    assert batch.weight.tolist() == pytest.approx([1 / 3] * 3) and batch.edge_index.tolist() == [[0, 3, 7], [1, 4, 8]]
    assert all("weight" not in entry for entry in data)  # what was given is not touched


def test_order_by_seed_and_epoch() -> None:
    epoch = 0
    loader = SectionLoader(sections(12), 2, seed=3, epoch=lambda: epoch)
    first, again = ids(loader), ids(loader)
    epoch = 1
    second = ids(loader)
    assert first == again != second
    assert second == ids(SectionLoader(sections(12), 2, seed=3, epoch=lambda: 1))  # as a resumed run
    assert first != ids(SectionLoader(sections(12), 2, seed=4))
