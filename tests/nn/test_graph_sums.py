"""Sums over the spot graph, by hand."""

import pytest
import torch
from torch import Tensor

from hespotex.nn.aggregate import edge_softmax, in_degree, neighbour_mean, neighbour_sum

X = torch.tensor([[1.0, 10.0], [2.0, 20.0], [4.0, 40.0]])
EDGES = torch.tensor([[0, 1, 0, 1], [2, 2, 1, 2]])  # 0 and twice 1 into 2, 0 into 1, nothing into 0


def test_neighbours_by_hand() -> None:
    assert neighbour_sum(X, EDGES).tolist() == [[0, 0], [1, 10], [5, 50]]
    assert in_degree(EDGES, 3).tolist() == [[0], [1], [3]]
    torch.testing.assert_close(neighbour_mean(X, EDGES), torch.tensor([[0, 0], [1, 10], [5 / 3, 50 / 3]]))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_the_type_of_the_numbers_is_kept(dtype: torch.dtype) -> None:
    assert neighbour_mean(X.to(dtype), EDGES).dtype == dtype


def test_no_edges() -> None:
    none = torch.empty(2, 0, dtype=torch.long)
    assert neighbour_mean(X, none).tolist() == torch.zeros(3, 2).tolist()
    assert edge_softmax(torch.empty(0), none[1], 3).shape == (0,)


def softmax_by_hand(logits: Tensor, targets: Tensor, n: int) -> Tensor:
    result = torch.zeros_like(logits)
    for spot in range(n):
        result[targets == spot] = torch.softmax(logits[targets == spot], 0)
    return result


@pytest.mark.parametrize("scale", [0.0, 1.0, 1000.0])
def test_edge_softmax_sums_to_one(scale: float) -> None:
    generator = torch.Generator().manual_seed(0)
    logits, targets = torch.randn(60, generator=generator) * scale - 300, torch.randint(0, 9, (60,), generator=generator)
    weights = edge_softmax(logits, targets, 12)  # spots 9 to 11 have no edge
    sums = torch.zeros(12).index_add_(0, targets, weights)
    torch.testing.assert_close(sums, torch.bincount(targets, minlength=12).clamp(max=1).float())
    torch.testing.assert_close(weights, softmax_by_hand(logits, targets, 12))


def test_gradient_of_edge_softmax() -> None:
    logits = torch.randn(6, dtype=torch.float64, generator=torch.Generator().manual_seed(0), requires_grad=True)
    targets = torch.tensor([0, 0, 1, 1, 1, 2])
    assert torch.autograd.gradcheck(lambda x: edge_softmax(x, targets, 3), (logits,))
