"""Ridge regression in closed form agrees with scikit-learn."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge
from torch import Tensor

from hespotex.nn.ridge import NeighbourRidge, RidgeSums
from hespotex.sparse import Edges

Block = tuple[Tensor, Tensor, slice, Tensor]


@pytest.fixture
def blocks() -> list[Block]:
    """Embeddings, edges, own spots (of the second section all but the last five) and targets."""
    generator = torch.Generator().manual_seed(0)
    made: list[Block] = []
    for n, own in ((30, 30), (50, 45)):
        edges = torch.randint(0, n, (2, 4 * n), generator=generator)
        x, y = torch.randn(n, 6, generator=generator) + 3, torch.randn(own, 4, generator=generator) + 1
        made.append((x, edges, slice(own), y))
    return made


def add(sums: RidgeSums, x: Tensor, y: Tensor) -> None:
    sums.add(x, y.double().mean(0), y.double().T @ x.double())


def fit(model: NeighbourRidge, blocks: list[Block], unit: Tensor) -> None:
    sums = RidgeSums(*model.weight.shape)
    for x, edges, own, y in blocks:
        add(sums, model.inputs(x, edges)[own], y)
    model.fit(sums, unit)


def sums_of(x: Tensor, y: Tensor, pieces: int) -> RidgeSums:
    sums = RidgeSums(x.shape[1], y.shape[1])
    for each in zip(x.tensor_split(pieces), y.tensor_split(pieces), strict=True):
        add(sums, *each)
    return sums


@pytest.mark.parametrize("pieces", [1, 3])
@pytest.mark.parametrize("alpha", [1e-3, 1.0, 1e3])
@pytest.mark.parametrize(("n", "d"), [(40, 6), (10, 30)])
def test_ridge_weights_are_scikit_learns(alpha: float, n: int, d: int, pieces: int) -> None:
    """With an intercept, from sums over any pieces."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(3, 1, size=(n, d)).astype(np.float32), rng.normal(-2, 1, size=(n, 3)).astype(np.float32)
    expected = Ridge(alpha).fit(x.astype(np.float64), y.astype(np.float64)).coef_.T
    sums = sums_of(torch.from_numpy(x), torch.from_numpy(y), pieces)
    np.testing.assert_allclose(sums.weights(alpha), expected, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(sums.mean(), x.mean(axis=0), rtol=1e-5)


@pytest.mark.parametrize("neighbours", [False, True])
@pytest.mark.parametrize("rescale", [False, True])
def test_neighbour_ridge(blocks: list[Block], neighbours: bool, rescale: bool) -> None:
    model = NeighbourRidge(6, 4, alpha=20.0, neighbours=neighbours, rescale=rescale)
    unit = torch.tensor([1.0, 2.0, 0.5, 3.0])
    fit(model, blocks, unit)
    parts = [(x[own], Edges(edges, len(x)).mean(x)[own]) for x, edges, own, _ in blocks]
    x = torch.cat([torch.cat(p[: 1 + neighbours], dim=1) for p in parts]).double().numpy()
    y = (torch.cat([y for *_, y in blocks]) / unit).double().numpy()
    y -= y.mean(axis=0)
    expected = (x - x.mean(axis=0)) @ Ridge(20.0, fit_intercept=False).fit(x - x.mean(axis=0), y).coef_.T
    if rescale:
        expected *= (expected * y).sum() / (expected**2).sum()
    found = torch.cat([model(x, edges, own) for x, edges, own, _ in blocks])
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)


def test_the_fit_is_in_the_state_dict(blocks: list[Block]) -> None:
    model, other = NeighbourRidge(6, 4, 1.0), NeighbourRidge(6, 4, 1.0)
    fit(model, blocks, torch.ones(4))
    other.load_state_dict(model.state_dict())
    x, edges, *_ = blocks[0]
    assert torch.equal(other(x, edges), model(x, edges))
