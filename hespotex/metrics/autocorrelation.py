"""How much neighbouring spots agree on a gene."""

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from hespotex.metrics.genes import TINY


def morans_i(values: NDArray[np.floating], edges: NDArray[np.int64]) -> NDArray[np.float64]:
    """Moran's I = n / n_edges * sum_ij w_ij z_i z_j / sum_i z_i^2, with z the values less their
    mean.

    Args:
        values: (n_spots, n_genes).
        edges: (2, n_edges), row 0 the neighbour j, row 1 the spot i; each has weight 1.

    Returns:
        (n_genes,); NaN for genes that are constant or not measured, and everywhere without edges.
    """
    n = len(values)
    n_edges = edges.shape[1]
    z = np.asarray(values, dtype=np.float64)
    z = z - z.mean(axis=0)
    squares = (z**2).sum(axis=0)
    weights = sparse.csr_matrix((np.ones(n_edges), (edges[1], edges[0])), shape=(n, n))
    products = (z * (weights @ z)).sum(axis=0)
    known = (squares / n >= TINY) & (n_edges > 0)
    return np.where(known, n / max(n_edges, 1) * products / np.maximum(squares, TINY), np.nan)
