"""Partial correlations against regressions of scikit-learn, and what is left of depth alone."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LinearRegression

from hespotex.genes.target import Target
from hespotex.metrics import gene_pearson, given, pearson_given

N, G = 300, 5
RNG = np.random.default_rng(0)
DEPTH = RNG.normal(6, 1, N)
OWN = RNG.normal(size=(N, G))
MEASURED = DEPTH[:, None] + OWN + RNG.normal(size=(N, G))
PREDICTED = torch.from_numpy(2 * DEPTH[:, None] + OWN)


class Table(Target):
    """Measured values as they are."""

    def __init__(self, values: np.ndarray) -> None:
        self.all = torch.from_numpy(values)

    def genes(self, start: int, stop: int) -> torch.Tensor:
        return self.all[:, start:stop]


def residuals(values: np.ndarray) -> torch.Tensor:
    x = DEPTH[:, None]
    return torch.from_numpy(values - LinearRegression().fit(x, values).predict(x))


@pytest.mark.parametrize("block", [2, 250])
def test_it_is_the_correlation_of_what_regressions_leave(
    block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(given, "BLOCK", block)
    found = pearson_given(PREDICTED, Table(MEASURED), DEPTH)
    expected = gene_pearson(residuals(PREDICTED.numpy()), residuals(MEASURED))
    np.testing.assert_allclose(found, expected)
    assert (found < gene_pearson(PREDICTED, torch.from_numpy(MEASURED)).numpy()).all()


def test_a_prediction_of_depth_alone_has_nothing_left() -> None:
    depth = torch.from_numpy(np.tile(3 * DEPTH[:, None], G)).float()
    assert np.isnan(pearson_given(depth, Table(MEASURED), DEPTH)).all()


def test_spots_of_equal_depth_change_nothing() -> None:
    found = pearson_given(PREDICTED, Table(MEASURED), np.ones(N))
    np.testing.assert_allclose(found, gene_pearson(PREDICTED, torch.from_numpy(MEASURED)))
