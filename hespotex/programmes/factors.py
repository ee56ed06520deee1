"""A few programmes out of many predicted genes: principal factors of their covariance, rotated."""

import operator
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

Array = NDArray[np.float64]
MOST = 8  # programmes
LEAST_SHARE = 0.01  # of the predictions' variance, of a programme
RETURNED = 0.5  # |r| of two programmes' loadings over genes from which they are the same
KEPT = 64  # directions of a covariance
ROWS = 1024  # spots at a time
STEPS = 200  # of the rotation, at most
CONVERGED = 1e-8


@dataclass(frozen=True)
class Covariance:
    """Covariance of genes, as far as its strongest directions go: nothing here is genes by genes.

    Attributes:
        half: (r, n_genes) with r <= `KEPT`; its product with itself is the covariance.
        variance: of each gene, all directions together, (n_genes,).
    """

    half: Array
    variance: Array

    @classmethod
    def of(cls, tables: Iterable[Array]) -> "Covariance":
        """Of tables (any n, n_genes) of centred values, divided by its trace.

        Raises:
            ValueError: there is no table.
        """
        parts = (own[i : i + ROWS] for own in tables for i in range(0, len(own), ROWS))
        whole = reduce(operator.add, (cls(_strongest(own), (own**2).sum(axis=0)) for own in parts))
        return whole.normed()

    def __add__(self, other: "Covariance") -> "Covariance":
        """The sum, cut to its strongest directions."""
        half = _strongest(np.concatenate([self.half, other.half]))
        return Covariance(half, self.variance + other.variance)

    def normed(self) -> "Covariance":
        """Divided by its trace."""
        trace = float(self.variance.sum()) or 1.0
        return Covariance(self.half / np.sqrt(trace), self.variance / trace)

    def of_genes(self, genes: Sequence[int]) -> "Covariance":
        """Of some of the genes, given by their numbers; divided by its trace."""
        return Covariance(self.half[:, genes], self.variance[genes]).normed()


def _strongest(rows: Array) -> Array:
    """Rows, `KEPT` at most, whose product with themselves is that of these as far as it goes."""
    if len(rows) <= KEPT:
        return rows
    n, n_genes = rows.shape
    if n <= n_genes:
        vectors = np.linalg.eigh(rows @ rows.T)[1][:, -KEPT:]
        return np.asarray(vectors.T @ rows)
    values, vectors = np.linalg.eigh(rows.T @ rows)
    return np.asarray((vectors * np.sqrt(values.clip(min=0)))[:, -KEPT:].T)


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


def factors(covariance: Covariance, most: int = MOST) -> Factors:
    """The strongest principal factors after a varimax rotation, strongest first; genes of the
    larger loadings point up.

    Args:
        covariance: of predicted genes.
        most: how many.
    """
    _, sizes, vectors = np.linalg.svd(covariance.half, full_matrices=False)
    total = float(covariance.variance.sum())
    kept = [i for i in range(len(sizes))[:most] if sizes[i] ** 2 > LEAST_SHARE * total]
    axes = vectors[kept].T
    spread = sizes[kept]
    rotation = varimax(axes * spread)
    loadings = (axes * spread) @ rotation
    share = (loadings**2).sum(axis=0) / total
    order = np.argsort(-share)
    up = np.sign((loadings**3).sum(axis=0))[order]
    weights = (axes / spread) @ rotation
    return Factors(loadings[:, order] * up, weights[:, order] * up, share[order])


def main_programme(loadings: Array, variance: Array) -> tuple[NDArray[np.int64], Array]:
    """The programme (from 0) that says most of each gene's prediction, and its share, (n_genes,).

    Args:
        loadings: (n_genes, k).
        variance: of each gene's prediction, (n_genes,).
    """
    shares = loadings**2 / np.where(variance > 0, variance, np.inf)[:, None]
    main = shares.argmax(axis=1)
    return main, np.asarray(shares[np.arange(len(main)), main])


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
