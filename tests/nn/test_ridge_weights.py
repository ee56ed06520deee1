"""Ridge regression in closed form agrees with scikit-learn."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge
from torch import Tensor

from hespotex.nn.aggregate import neighbour_mean
from hespotex.nn.ridge import NeighbourRidge, ridge_weights


@dataclass
class Graph:
    image_embedding: Tensor
    edge_index: Tensor


@pytest.fixture
def graphs() -> list[Graph]:
    generator = torch.Generator().manual_seed(0)
    return [
        Graph(torch.randn(n, 6, generator=generator) + 3, torch.randint(0, n, (2, 4 * n), generator=generator))
        for n in (30, 50)
    ]


@pytest.fixture
def targets() -> list[Tensor]:
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(n, 4, generator=generator) for n in (30, 50)]


@pytest.mark.parametrize("alpha", [1e-3, 1.0, 1e3])
@pytest.mark.parametrize(("n", "d"), [(40, 6), (10, 30)])
def test_ridge_weights_are_scikit_learns(alpha: float, n: int, d: int) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(n, d)).astype(np.float32), rng.normal(size=(n, 3)).astype(np.float32)
    expected = Ridge(alpha, fit_intercept=False).fit(x.astype(np.float64), y.astype(np.float64)).coef_.T
    found = ridge_weights(torch.from_numpy(x), torch.from_numpy(y), alpha)
    assert found.dtype == torch.float32
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("neighbours", [False, True])
@pytest.mark.parametrize("rescale", [False, True])
def test_neighbour_ridge(graphs: list[Graph], targets: list[Tensor], neighbours: bool, rescale: bool) -> None:
    model = NeighbourRidge(6, 4, alpha=20.0, neighbours=neighbours, rescale=rescale)
    model.fit(graphs, targets)
    parts = [(g.image_embedding, neighbour_mean(g.image_embedding, g.edge_index)) for g in graphs]
    x = torch.cat([torch.cat(p[: 1 + neighbours], dim=1) for p in parts]).double().numpy()
    y = torch.cat(targets).double().numpy()
    expected = (x - x.mean(axis=0)) @ Ridge(20.0, fit_intercept=False).fit(x - x.mean(axis=0), y).coef_.T
    if rescale:
        expected *= (expected * y).sum() / (expected**2).sum()
    found = torch.cat([model(g.image_embedding, g.edge_index) for g in graphs])
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)


def test_the_fit_is_in_the_state_dict(graphs: list[Graph], targets: list[Tensor]) -> None:
    model, other = NeighbourRidge(6, 4, 1.0), NeighbourRidge(6, 4, 1.0)
    model.fit(graphs, targets)
    other.load_state_dict(model.state_dict())
    graph = graphs[0]
    assert torch.equal(other(graph.image_embedding, graph.edge_index), model(graph.image_embedding, graph.edge_index))
