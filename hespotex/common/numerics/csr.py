"""Sparse tables by what is stored of them."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

BLOCK = 2**20  # values at a time
Floats = NDArray[np.float64]


def column_sums(
    table: sparse.csr_matrix, turn: Callable[[Floats, NDArray[np.int32]], Floats]
) -> tuple[Floats, Floats]:
    """Of each column (d,): the sum of the values that are stored, and of their squares.

    Args:
        table: (n, d).
        turn: what is summed in place of some values, given in float64, and of their columns.
    """
    d = table.shape[1]
    sums = np.zeros((2, d))
    for start in range(0, table.nnz, BLOCK):
        columns = table.indices[start : start + BLOCK]
        values = turn(table.data[start : start + BLOCK].astype(np.float64), columns)
        sums[0] += np.bincount(columns, values, d)
        sums[1] += np.bincount(columns, values * values, d)
    return sums[0], sums[1]


def scaled_rows(table: sparse.csr_matrix, scale: Floats) -> sparse.csr_matrix:
    """(n, d), each row times its number of `scale` (n,)."""
    data = table.data * np.repeat(scale, np.diff(table.indptr))
    return sparse.csr_matrix((data, table.indices, table.indptr), table.shape, copy=True)
