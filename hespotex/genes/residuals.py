"""Pearson residuals of counts under a negative binomial null model (Lause, Berens and Kobak
2021).
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from hespotex.sections.section import library_size

THETA = 100.0  # overdispersion of technical replicates, as in the paper
# genes at a time, and spots times genes: what is dense at once
BLOCK = 500
VALUES = 4_000_000


def pearson_residuals(
    counts: NDArray[np.float64], expected: NDArray[np.float64], theta: float, clip: float
) -> NDArray[np.float64]:
    """r = (x - mu) / sqrt(mu + mu^2 / theta), cut at +-`clip`; 0 where nothing is expected.
    (n_spots, n_genes)
    """
    spread = np.sqrt(expected + expected**2 / theta)
    return np.clip((counts - expected) / np.where(spread > 0, spread, np.inf), -clip, clip)


def residual_variance(counts: sparse.csr_matrix, theta: float = THETA) -> NDArray[np.float64]:
    """Variance of each gene's residuals, (n_genes,), with mu = library * the gene's share of all
    counts, clip sqrt(n).
    """
    n = counts.shape[0]
    library = library_size(counts).astype(np.float64)
    share = np.asarray(counts.sum(axis=0), dtype=np.float64).ravel() / max(library.sum(), 1)
    variances = [
        pearson_residuals(dense, library[:, None] * share[genes], theta, np.sqrt(n)).var(axis=0)
        for genes, dense in gene_blocks(counts)
    ]
    return np.concatenate(variances)


def gene_blocks(counts: sparse.csr_matrix) -> Iterator[tuple[slice, NDArray[np.float64]]]:
    """Some genes at a time: their place and their counts (n_spots, n), dense."""
    columns = sparse.csc_matrix(counts)
    size = max(1, min(BLOCK, VALUES // max(columns.shape[0], 1)))
    for start in range(0, columns.shape[1], size):
        genes = slice(start, min(start + size, columns.shape[1]))
        yield genes, columns[:, genes].toarray().astype(np.float64)
