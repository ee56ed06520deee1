"""Sums over the spot graph as released, by hand."""

import torch

from hespotex.nn.aggregate import in_degree, neighbour_sum

X = torch.tensor([[1.0, 10.0], [2.0, 20.0], [4.0, 40.0]])
EDGES = torch.tensor([[0, 1, 0, 1], [2, 2, 1, 2]])  # 0 and twice 1 into 2, 0 into 1, nothing into 0


def test_neighbours_by_hand() -> None:
    assert neighbour_sum(X, EDGES).tolist() == [[0, 0], [1, 10], [5, 50]]
    assert in_degree(EDGES, 3).tolist() == [[0], [1], [3]]
