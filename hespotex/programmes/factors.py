"""A few programmes out of many predicted genes: principal factors of their covariance, rotated."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

Array = NDArray[np.float64]
MOST = 8  # programmes
LEAST_SHARE = 0.01  # of the predictions' variance, of a programme
RETURNED = 0.5  # |r| of two programmes' loadings over genes from which they are the same
STEPS = 200  # of the rotation, at most
CONVERGED = 1e-8


@dataclass(frozen=True)
class Factors:
    """Programmes of unit variance, uncorrelated over the spots that made them.

    Attributes:
        loadings: (n_genes, k), covariance of each gene, in units of its spread, with each one.
        weights: (n_genes, k): centred expression in units of its spread times these is the score.
        share: (k,), of the variance of all genes' predictions.
    """

    loadings: Array
    weights: Array
    share: Array


def factors(covariance: Array, most: int = MOST) -> Factors:
    """The strongest principal factors after a varimax rotation, strongest first; genes of the
    larger loadings point up.

    Args:
        covariance: of predicted genes, (n_genes, n_genes).
        most: how many.
    """
    values, vectors = np.linalg.eigh(covariance)
    total = float(np.trace(covariance))
    kept = [i for i in range(len(values))[::-1][:most] if values[i] > LEAST_SHARE * total]
    axes = vectors[:, kept]
    spread = np.sqrt(values[kept])
    rotation = varimax(axes * spread)
    loadings = (axes * spread) @ rotation
    share = (loadings**2).sum(axis=0) / total
    order = np.argsort(-share)
    up = np.sign((loadings**3).sum(axis=0))[order]
    weights = (axes / spread) @ rotation
    return Factors(loadings[:, order] * up, weights[:, order] * up, share[order])


def varimax(loadings: Array) -> Array:
    """Rotation (k, k) after which each of the loadings (n_genes, k) is large or near 0 (Kaiser
    1958).
    """
    rotation = np.eye(loadings.shape[1])
    before = 0.0
    for _ in range(STEPS):
        rotated = loadings @ rotation
        target = rotated**3 - rotated * (rotated**2).mean(axis=0)
        left, sizes, right = np.linalg.svd(loadings.T @ target)
        rotation = left @ right
        if sizes.sum() < before * (1 + CONVERGED):
            break
        before = float(sizes.sum())
    return rotation


def returned(loadings: Array, others: Sequence[Array]) -> Array:
    """In how many of the others each programme (a column of the loadings) returns, (k,).

    Args:
        loadings: (n_genes, k).
        others: of other fits, (n_genes, any k) each.
    """
    return np.sum([_matched(loadings, other) for other in others], axis=0, dtype=np.int64)


def _matched(loadings: Array, other: Array) -> NDArray[np.bool_]:
    """Whether each programme has a partner, one to one."""
    k = loadings.shape[1]
    alike = np.abs(np.corrcoef(loadings.T, other.T)[:k, k:])
    rows, columns = linear_sum_assignment(-alike)
    found = np.zeros(k, dtype=bool)
    found[rows] = alike[rows, columns] >= RETURNED
    return found
