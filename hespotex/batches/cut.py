"""Cutting a section into blocks of spots, each with the halo that its spots' predictions need."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

Numbers = NDArray[np.int64]
# memory of a training step for each spot and gene: expression, prediction, losses and their
# gradients
BYTES_PER_VALUE = 64
# spots of a block; beyond, sparse products miss the cache (experiments/speed)
FEWEST = 16
MOST = 8192


def block_spots(gib: float, n_genes: int) -> int:
    """Spots of a block whose training step takes about this much memory, even where all genes are
    held densely.
    """
    return min(MOST, max(FEWEST, int(gib * 2**30 / (BYTES_PER_VALUE * n_genes))))


@dataclass(frozen=True)
class Block:
    """Part of a section: `spots` are its own `n_inner` spots and then their halo; `edges` (2,
    n_edges) between them.
    """

    spots: Numbers
    n_inner: int
    edges: Numbers


def cut(
    pos: NDArray[np.floating], edges: Numbers, most: int, n_hops: int, n_context: int = 0
) -> list[Block]:
    """Blocks of at most `most` spots, as equal as can be; together every spot once.

    Args:
        pos: spot centres (n_spots, 2).
        edges: (2, n_edges), row 0 the neighbour, row 1 the spot.
        most: spots of a block, its halo not among them.
        n_hops: steps along the edges that a prediction looks away from its spot.
        n_context: the last so many spots are in halos only.
    """
    n = len(pos) - n_context
    if n <= most:
        return [Block(np.arange(len(pos)), n, edges)]
    parts = split(pos, np.arange(n), -(-n // most))
    return with_halos(edges, len(pos), parts, n_hops)


def with_halos(edges: Numbers, n: int, parts: list[Numbers], n_hops: int) -> list[Block]:
    """A block for each part of the `n` spots, with every spot that it sees in `n_hops` steps."""
    graph = sparse.csr_matrix(
        (np.ones(edges.shape[1], np.int8), (edges[1], edges[0])), shape=(n, n)
    )
    return [_with_halo(graph, inner, n_hops) for inner in parts]


def split(pos: NDArray[np.floating], spots: Numbers, n_parts: int) -> list[Numbers]:
    """Halve along the longer side, and again: `n_parts` compact parts whose sizes differ by one at
    most.
    """
    if n_parts == 1:
        return [np.sort(spots)]
    own = pos[spots]
    order = np.argsort(own[:, int(np.ptp(own, axis=0).argmax())], kind="stable")
    left = n_parts // 2
    border = _share(len(spots), n_parts, left)
    parts = ((spots[order[:border]], left), (spots[order[border:]], n_parts - left))
    return [part for numbers, n in parts for part in split(pos, numbers, n)]


def _share(n: int, n_parts: int, of: int) -> int:
    """Spots of the first `of` of `n_parts` parts, the larger parts first."""
    return of * (n // n_parts) + min(of, n % n_parts)


def _with_halo(graph: sparse.csr_matrix, inner: Numbers, n_hops: int) -> Block:
    """Every spot that an inner spot sees in `n_hops` steps, and the edges that lead there."""
    spots = inner
    ring = inner
    complete = 0
    for _ in range(n_hops):
        complete = len(spots)
        ring = np.setdiff1d(graph[ring].indices, spots)
        spots = np.concatenate([spots, ring])
    inside = graph[spots[:complete]][:, spots].tocoo() if complete else sparse.coo_matrix((0, 0))
    return Block(spots, len(inner), np.stack([inside.col, inside.row]).astype(np.int64))
