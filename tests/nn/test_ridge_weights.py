"""Ridge regression in closed form agrees with scikit-learn."""

import operator
from functools import reduce

import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge
from torch import Tensor

from hespotex.common.numerics.sparse import Edges
from hespotex.metrics import gene_pearson
from hespotex.nn.ridge import NeighbourRidge, RidgeSums

Block = tuple[Tensor, Tensor, slice, Tensor]


@pytest.fixture
def blocks() -> list[Block]:
    """Embeddings, edges, own spots (of the second section all but the last five) and targets."""
    generator = torch.Generator().manual_seed(0)
    made: list[Block] = []
    for n, own in ((30, 30), (50, 45)):
        edges = torch.randint(0, n, (2, 4 * n), generator=generator)
        x = torch.randn(n, 6, generator=generator) + 3
        y = torch.randn(own, 4, generator=generator) + 1
        made.append((x, edges, slice(own), y))
    return made


def sums_of(x: Tensor, y: Tensor) -> RidgeSums:
    x = x.double()
    y = y.double()
    return RidgeSums.of(x, y.mean(0), y.var(0, correction=0), y.T @ x)


def fit(model: NeighbourRidge, blocks: list[Block], alpha: float) -> None:
    parts = [sums_of(model.inputs(x, edges)[own], y) for x, edges, own, y in blocks]
    total = parts[0] + parts[1]
    model.take(total, total.weights(alpha))


@pytest.mark.parametrize("pieces", [1, 3])
@pytest.mark.parametrize("alpha", [1e-3, 1.0, 1e3])
@pytest.mark.parametrize(("n", "d"), [(40, 6), (10, 30)])
def test_ridge_weights_are_scikit_learns(alpha: float, n: int, d: int, pieces: int) -> None:
    """With an intercept, from sums over any pieces."""
    rng = np.random.default_rng(0)
    x = rng.normal(3, 1, size=(n, d)).astype(np.float32)
    y = rng.normal(-2, 1, size=(n, 3)).astype(np.float32)
    expected = Ridge(alpha).fit(x.astype(np.float64), y.astype(np.float64)).coef_.T
    each = zip(
        torch.from_numpy(x).tensor_split(pieces),
        torch.from_numpy(y).tensor_split(pieces),
        strict=True,
    )
    parts = [sums_of(*piece) for piece in each]
    sums = reduce(operator.add, parts)
    np.testing.assert_allclose(sums.weights(alpha), expected, rtol=1e-4, atol=1e-6)
    if pieces > 1:
        rest = sums - parts[0]
        np.testing.assert_allclose(
            rest.weights(alpha), (parts[1] + parts[2]).weights(alpha), rtol=1e-6, atol=1e-9
        )


def test_correlation_from_sums_is_that_of_the_spots() -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(50, 6, generator=generator).double() + 2
    y = torch.randn(50, 4, generator=generator).double()
    y[:, 1] = 3.0
    weights = torch.randn(6, 4, generator=generator).double()
    found = sums_of(x, y).pearson(weights)
    expected = gene_pearson(x @ weights, y)
    torch.testing.assert_close(found, expected, equal_nan=True)
    assert found[1].isnan() and not found[0].isnan()


@pytest.mark.parametrize("neighbours", [False, True])
def test_neighbour_ridge(blocks: list[Block], neighbours: bool) -> None:
    model = NeighbourRidge(6, 4, neighbours)
    fit(model, blocks, 20.0)
    parts = [(x[own], Edges(edges, len(x)).mean(x)[own]) for x, edges, own, _ in blocks]
    x = torch.cat([torch.cat(p[: 1 + neighbours], dim=1) for p in parts]).double().numpy()
    y = torch.cat([y for *_, y in blocks]).double().numpy()
    expected = Ridge(20.0).fit(x, y).predict(x) - y.mean(axis=0)
    found = torch.cat([model(x, edges, own) for x, edges, own, _ in blocks])
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)


def test_the_fit_is_in_the_state_dict(blocks: list[Block]) -> None:
    model = NeighbourRidge(6, 4)
    other = NeighbourRidge(6, 4)
    fit(model, blocks, 1.0)
    other.load_state_dict(model.state_dict())
    x, edges, *_ = blocks[0]
    assert torch.equal(other(x, edges), model(x, edges))
