"""Squares of the H&E as spots, as HEST-1k makes them of Xenium."""

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]


class Squares:
    """The squares of an image.

    Args:
        side_px: of a square.
        size: width and height of the image in px.
    """

    def __init__(self, side_px: float, size: tuple[int, int]) -> None:
        self.side_px = side_px
        self.size = size
        self.n_columns = int(np.ceil(size[0] / side_px)) + 1

    def inside(self, pos: Floats) -> NDArray[np.bool_]:
        """Which places (n, 2) px lie on the image, in a square whose middle does."""
        on_image = ((pos >= 0) & (pos <= self.size)).all(axis=1)
        middle = (np.floor(pos / self.side_px) + 0.5) * self.side_px
        return np.asarray(on_image & (middle <= self.size).all(axis=1))

    def numbers(self, pos: Floats) -> Numbers:
        """The number of the square of each place (n, 2) px: row by row."""
        column, row = np.floor(pos / self.side_px).astype(np.int64).T
        return np.asarray(row * self.n_columns + column)

    def array(self, numbers: Numbers) -> Floats:
        """Column and row (n, 2) of these squares."""
        row, column = np.divmod(numbers, self.n_columns)
        return np.stack([column, row], axis=1).astype(np.float64)

    def middles(self, numbers: Numbers) -> Floats:
        """Their middles (n, 2) in px."""
        return (self.array(numbers) + 0.5) * self.side_px


def pool_rows(counts: sparse.csr_matrix, square: Numbers) -> tuple[sparse.csr_matrix, Numbers]:
    """Counts (n_squares, n_genes) of cells (n_cells, n_genes) in the square of each; and the
    squares, in order.
    """
    numbers, row = np.unique(square, return_inverse=True)
    entries = (np.ones(len(row)), (row.ravel(), np.arange(len(row))))
    return sparse.csr_matrix(sparse.csr_matrix(entries) @ counts), numbers


def pool_transcripts(
    transcripts: Iterable[tuple[pd.Series, Numbers]], genes: Sequence[str]
) -> tuple[sparse.csr_matrix, Numbers]:
    """Counts (n_squares, n_genes) and the squares, in order.

    Args:
        transcripts: the gene and the square of each transcript; genes that are not listed are left
          out.
        genes: in the order of the columns.
    """
    index = pd.Index(genes)
    keys: list[Numbers] = []
    often: list[Numbers] = []
    for names, square in transcripts:
        gene = index.get_indexer(pd.Index(names))
        is_listed = gene >= 0
        key, n = np.unique(square[is_listed] * len(genes) + gene[is_listed], return_counts=True)
        keys.append(key)
        often.append(n)
    key = np.concatenate([*keys, np.zeros(0, dtype=np.int64)])
    square, gene = np.divmod(key, len(genes))
    numbers, row = np.unique(square, return_inverse=True)
    entries = (np.concatenate([*often, np.zeros(0)]), (row.ravel(), gene))
    return sparse.csr_matrix(entries, shape=(len(numbers), len(genes))), numbers
