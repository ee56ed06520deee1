"""Sparse products agree with dense ones, and so do their gradients."""

import pytest
import torch
from scipy import sparse
from torch import Tensor

from hespotex.common.numerics.sparse import STRIP, Edges, FixedProduct, from_scipy

X = torch.tensor([[1.0, 10.0], [2.0, 20.0], [4.0, 40.0]])
EDGES = torch.tensor([[0, 1, 0, 1], [2, 2, 1, 2]])  # 0 and twice 1 into 2, 0 into 1, nothing into 0


def random_edges(n: int, n_edges: int) -> Tensor:
    """Each at most once, in no order."""
    places = torch.randperm(n * n, generator=torch.Generator().manual_seed(0))[:n_edges]
    return torch.stack([places % n, places // n])


def dense(edges: Tensor, values: Tensor, n: int) -> Tensor:
    return torch.zeros(n, n, dtype=values.dtype).index_put(
        (edges[1], edges[0]), values, accumulate=True
    )


def test_mean_of_neighbours_by_hand() -> None:
    torch.testing.assert_close(
        Edges(EDGES, 3).mean(X), torch.tensor([[0, 0], [1, 10], [5 / 3, 50 / 3]])
    )


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_the_type_of_the_numbers_is_kept(dtype: torch.dtype) -> None:
    assert Edges(EDGES, 3).mean(X.to(dtype)).dtype == dtype


def test_no_edges() -> None:
    none = Edges(torch.empty(2, 0, dtype=torch.long), 3)
    assert none.mean(X).tolist() == torch.zeros(3, 2).tolist()
    assert none.softmax(torch.empty(0)).shape == (0,)


@pytest.mark.parametrize(("n", "n_edges"), [(9, 30), (40, 25)])
def test_weighted_sum_is_the_dense_product(n: int, n_edges: int) -> None:
    index = random_edges(n, n_edges)
    edges = Edges(index, n)
    x = torch.randn(n, 5, dtype=torch.float64, requires_grad=True)
    values = torch.rand(n_edges, dtype=torch.float64, requires_grad=True)
    sorted_index = torch.stack([edges.source, edges.target])
    torch.testing.assert_close(edges.weighted_sum(x, values), dense(sorted_index, values, n) @ x)
    assert torch.autograd.gradcheck(edges.weighted_sum, (x, values))


def test_softmax_over_the_edges_into_a_spot() -> None:
    edges = Edges(random_edges(12, 60), 12)
    logits = torch.randn(60, dtype=torch.float64, requires_grad=True)
    weights = edges.softmax(logits)
    for spot in range(12):
        own = edges.target == spot
        torch.testing.assert_close(weights[own], torch.softmax(logits[own], 0))
    assert torch.autograd.gradcheck(edges.softmax, (logits,))


def test_fixed_product() -> None:
    matrix = sparse.random(7, 9, 0.4, format="csr", random_state=0)
    a = from_scipy(matrix)
    back = from_scipy(matrix.T.tocsr())
    x = torch.randn(9, 3, requires_grad=True)
    product: Tensor = FixedProduct.apply(x, a, back)
    torch.testing.assert_close(product, torch.from_numpy(matrix.toarray()).float() @ x)
    weights = torch.randn(7, 3)
    (product * weights).sum().backward()  # type: ignore[no-untyped-call]
    assert x.grad is not None
    torch.testing.assert_close(x.grad, torch.from_numpy(matrix.toarray()).float().T @ weights)


def test_strips_of_a_wide_input_change_no_digit() -> None:
    """Neither of the product nor of its gradient."""
    matrix = sparse.random(40, 300, 0.2, format="csr", random_state=0)
    a = from_scipy(matrix)
    back = from_scipy(matrix.T.tocsr())
    x = torch.randn(300, 3 * STRIP + 5, requires_grad=True)
    product: Tensor = FixedProduct.apply(x, a, back)
    assert torch.equal(product, a @ x.detach())
    weights = torch.randn_like(product)
    product.backward(weights)  # type: ignore[no-untyped-call]
    assert x.grad is not None
    assert torch.equal(x.grad, back @ weights)
