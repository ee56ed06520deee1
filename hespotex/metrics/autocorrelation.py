"""How much neighbouring spots agree on a gene."""

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from hespotex.common.numerics.correlation import TINY
from hespotex.metrics.genes import Array, Centred

# nearest spots that count as neighbours; not those of the model's graph, which differ between
# models
MORAN_NEIGHBOURS = 6
SPOTS = 4096  # at a time, of sparse values


class Neighbours:
    """Which spots count as neighbours, each pair once.

    Args:
        edges: (2, n_edges), row 0 the neighbour j, row 1 the spot i; each has weight 1.
        n: spots.
    """

    def __init__(self, edges: NDArray[np.int64], n: int) -> None:
        self.n_edges = edges.shape[1]
        ends = np.sort(edges, axis=0)
        # z^T W z is the same with all weights on one side of the diagonal, and half the work
        self.pairs = sparse.csr_matrix((np.ones(self.n_edges), (ends[0], ends[1])), shape=(n, n))


def morans_i(genes: Centred, neighbours: Neighbours) -> Array:
    """Moran's I = n / n_edges * sum_ij w_ij z_i z_j / sum_i z_i^2, with z the values less their
    mean.

    Returns:
        (n_genes,); NaN for genes that are constant or not measured, and everywhere without edges.
    """
    products = np.array([np.einsum("n,n->", z, neighbours.pairs @ z) for z in genes.away])
    return _in_units(products, genes.variance, neighbours)


def sparse_morans_i(values: sparse.csr_matrix, neighbours: Neighbours) -> Array:
    """As `morans_i`, of values (n_spots, n_genes) most of which are 0.

    With x = z + m, sum_ij w_ij z_i z_j is that of x, which both spots of a pair must have, less m
    times the x of all ends of pairs, and m^2 for each pair.
    """
    pairs = neighbours.pairs
    together = np.zeros(values.shape[1])
    for start in range(0, values.shape[0], SPOTS):
        spots = slice(start, start + SPOTS)
        together += _column_sums((pairs[spots] @ values).multiply(values[spots]))
    ends = np.asarray(pairs.sum(axis=0)).ravel() + np.asarray(pairs.sum(axis=1)).ravel()
    mean = _column_sums(values) / values.shape[0]
    variance = _column_sums(values.multiply(values)) / values.shape[0] - mean**2
    products = together - mean * (values.T @ ends) + neighbours.n_edges * mean**2
    return _in_units(products, variance, neighbours)


def _in_units(products: Array, variance: Array, neighbours: Neighbours) -> Array:
    """Moran's I of sums over pairs, (n_genes,)."""
    varies = (variance >= TINY) & (neighbours.n_edges > 0)
    squares = np.where(varies, variance, 1.0)
    return np.where(varies, products / max(neighbours.n_edges, 1) / squares, np.nan)


def _column_sums(table: sparse.csr_matrix) -> Array:
    return np.asarray(table.sum(axis=0), dtype=np.float64).ravel()
