"""Spot graph: nearest neighbours on the section, sparse."""

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

TIE_MARGIN = 12  # further candidates, so that ties at the k-th distance are all seen
# distances within this are equal: a regular grid is exact only up to the rounding of pixels
TIE_UM = 1.0


def knn_edges(pos: NDArray[np.float64], k: int, tie: float = TIE_UM) -> NDArray[np.int64]:
    """Edges (2, n_edges) from the k nearest other spots: row 0 the neighbour j, row 1 the spot i it
    informs.

    Ties, common on a regular grid, go to the smaller rounded distance and then to the smaller
    index, so the graph does not depend on the library. A section of n <= k spots gets n - 1
    neighbours each.

    Args:
        pos: spot centres (n_spots, 2) in um.
        k: neighbours of each spot, itself not among them.
        tie: distances that round to the same multiple of this (um) are equal.
    """
    n = len(pos)
    k = min(k, n - 1)
    if k < 1:
        return np.empty((2, 0), dtype=np.int64)
    distance, index = cKDTree(pos).query(pos, k=min(k + 1 + TIE_MARGIN, n))
    distance = np.where(index == np.arange(n)[:, None], np.inf, np.round(distance / tie))
    order = np.lexsort((index, distance), axis=1)[:, :k]
    neighbours = np.take_along_axis(index, order, axis=1)
    return np.stack([neighbours.ravel(), np.repeat(np.arange(n), k)]).astype(np.int64)


def edges_from(
    pos: NDArray[np.float64], others: NDArray[np.float64], k: int, tie: float = TIE_UM
) -> NDArray[np.int64]:
    """Edges (2, n_edges) from the k nearest of some others: row 0 the other, row 1 the spot.

    Ties are settled as in `knn_edges`; one that lies where the spot does is the spot itself, and
    no neighbour.

    Args:
        pos: spot centres (n_spots, 2) in um.
        others: (n_others, 2) in um.
        k: neighbours of each spot.
        tie: see `knn_edges`.
    """
    n = min(k + 1 + TIE_MARGIN, len(others))
    if not n or not len(pos):
        return np.empty((2, 0), dtype=np.int64)
    distance, index = cKDTree(others).query(pos, k=list(range(1, n + 1)))
    distance = np.round(distance / tie)
    distance = np.where(distance == 0, np.inf, distance)
    order = np.lexsort((index, distance), axis=1)[:, :k]
    near = np.take_along_axis(index, order, axis=1)
    finite = np.isfinite(np.take_along_axis(distance, order, axis=1))
    spots = np.repeat(np.arange(len(pos)), order.shape[1]).reshape(order.shape)
    return np.stack([near[finite], spots[finite]]).astype(np.int64)


def undirected_with_loops(edges: NDArray[np.int64], n: int) -> NDArray[np.int64]:
    """Both directions of every edge, once, and a self loop at every spot (stage 1 as released)."""
    loops = np.tile(np.arange(n), (2, 1))
    both = np.concatenate([edges, edges[::-1], loops], axis=1)
    return np.unique(both, axis=1)
