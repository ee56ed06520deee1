"""Principal components of standardised rows, whose number does not matter for memory."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

Floats = NDArray[np.float64]
Pieces = Callable[[], Iterable[NDArray[np.float32]]]
ENOUGH = 10  # rows for each column: from there on scikit-learn, too, takes the covariance


@dataclass(frozen=True)
class Projection:
    """Rows x (n, d) to their components, (x - mean) / scale times the axes.

    Attributes:
        mean, scale: of each column, (d,); the scale of a constant column is 1.
        axes: orthonormal, (n_components, d).
    """

    mean: Floats
    scale: Floats
    axes: Floats

    @property
    def weight(self) -> Floats:
        """(d, n_components), scale and axes as one product"""
        return self.axes.T / self.scale[:, None]

    def __call__(self, x: NDArray[np.float32]) -> Floats:
        """(n, d) -> (n, n_components)"""
        return (x.astype(np.float64) - self.mean) @ self.weight


def principal_components(pieces: Pieces, n_components: int, seed: int) -> Projection:
    """The main directions of the rows of all pieces (n, d), every column in units of its spread.

    The covariance is added up piece by piece. Of fewer than `ENOUGH` rows a column scikit-learn
    takes all rows at once, by whichever method it thinks best.

    Args:
        pieces: gives the rows, as often as it is called.
        n_components: fewer where there are fewer rows or columns.
        seed: of scikit-learn's method.
    """
    n, mean, covariance = _covariance(pieces())
    n_components = min(n_components, n, len(mean))
    if n < ENOUGH * len(mean):
        return _by_rows(np.concatenate(list(pieces())).astype(np.float64), n_components, seed)
    std = np.sqrt(np.diag(covariance))
    scale = np.where(std > 0, std, 1.0)
    _, axes = np.linalg.eigh(covariance / np.outer(scale, scale))  # the largest last
    return Projection(mean, scale, axes[:, ::-1][:, :n_components].T)


def _by_rows(x: Floats, n_components: int, seed: int) -> Projection:
    scaler = StandardScaler().fit(x)
    pca = PCA(n_components, random_state=seed).fit(scaler.transform(x))
    return Projection(scaler.mean_, scaler.scale_, pca.components_)


def _covariance(pieces: Iterable[NDArray[np.float32]]) -> tuple[int, Floats, Floats]:
    """Number of rows, mean (d,) and covariance (d, d), from sums of the distance to the first
    row: a constant column has exactly no variance.
    """
    n = 0
    shift, total, products = np.zeros(1), np.zeros(1), np.zeros((1, 1))
    for piece in pieces:
        shift = piece[0].astype(np.float64) if n == 0 and len(piece) else shift
        away = piece.astype(np.float64) - shift
        n += len(piece)
        total = total + away.sum(axis=0)
        products = products + away.T @ away
    mean = total / n
    return n, mean + shift, products / n - np.outer(mean, mean)
