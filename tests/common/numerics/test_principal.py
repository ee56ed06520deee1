"""Principal components against those of scikit-learn, which holds all rows."""

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

from hespotex.common.numerics.principal import principal_components

WIDTH = 6


def rows(n: int) -> NDArray[np.float32]:
    """Columns of different spread around means far away; one is constant."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((n, WIDTH)) @ rng.standard_normal((WIDTH, WIDTH)) + 100.0
    x[:, 2] = 7.3
    return x.astype(np.float32)


@pytest.mark.parametrize("n", [5, 40, 60, 500])
def test_they_are_those_of_all_rows_at_once(n: int) -> None:
    x = rows(n)
    pieces = np.array_split(x, 4)
    found = principal_components(lambda: pieces, 4, seed=1)
    scaler = StandardScaler().fit(x.astype(np.float64))
    scaled = scaler.transform(x.astype(np.float64))
    expected = PCA(min(4, n), random_state=1, svd_solver="full").fit_transform(scaled)
    sign = np.sign((expected * found(x)).sum(axis=0))
    np.testing.assert_allclose(found(x) * sign, expected, atol=1e-8)
    np.testing.assert_allclose(found.mean, scaler.mean_)
    np.testing.assert_allclose(found.scale, scaler.scale_)
    np.testing.assert_allclose(found(x), (x - found.mean) @ found.weight)


def test_many_rows_are_not_held_together() -> None:
    """Only one piece is alive at a time."""
    alive = 0

    class Piece(np.ndarray):
        def __del__(self) -> None:
            nonlocal alive
            alive -= 1

    def pieces():  # type: ignore[no-untyped-def]
        nonlocal alive
        for part in np.array_split(rows(200), 20):
            alive += 1
            assert alive <= 2
            yield part.copy().view(Piece)

    assert principal_components(pieces, 3, seed=1).axes.shape == (3, WIDTH)
