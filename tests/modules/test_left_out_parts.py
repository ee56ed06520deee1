"""Many training sections are left out some together: memory does not grow with their number."""

import torch
from torch_geometric.data import Batch

from hespotex.modules.linear import MOST_PARTS, add_up, parts_of

from .test_baselines import TRAIN, batches


def test_few_sections_are_left_out_one_by_one() -> None:
    ids = [f"S{i}" for i in range(MOST_PARTS)]
    assert parts_of(ids) == {i: i for i in ids}


def test_neighbours_of_many_are_left_out_together() -> None:
    parts = list(parts_of([f"S{i}" for i in range(1276)]).values())
    sizes = [parts.count(part) for part in dict.fromkeys(parts)]
    assert len(sizes) == MOST_PARTS and max(sizes) - min(sizes) <= 1
    assert parts == sorted(parts, key=lambda part: int(part.split()[1]))


def test_a_part_is_the_sum_of_its_sections() -> None:
    def inputs(batch: Batch) -> torch.Tensor:
        x: torch.Tensor = batch.image_embedding
        return x

    alone = add_up(inputs, batches(TRAIN), {})
    first, second = alone
    parts = add_up(inputs, batches(TRAIN), {first: "part 0", second: "part 0"})
    assert len(parts) == 1
    torch.testing.assert_close(parts["part 0"].xy, (alone[first] + alone[second]).xy)
    assert parts["part 0"].n == alone[first].n + alone[second].n
