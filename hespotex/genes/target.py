"""Expression of a section, kept sparse and made dense where it is looked at."""

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse
from torch import Tensor

from hespotex.common.errors import InputError
from hespotex.common.files import digest
from hespotex.common.numerics.csr import column_sums
from hespotex.common.numerics.digests import array_digest
from hespotex.common.numerics.moments import Sums, distances
from hespotex.embeddings.rows import CHUNK
from hespotex.genes.block_target import BlockTarget
from hespotex.genes.residuals import pearson_residuals
from hespotex.genes.stored_values import StoredValues, store_values

Numbers = NDArray[np.int64]
ROUNDING = 1e-3  # of a count that is read off float32 values, relative
NO_LOG = (
    "data/expression: this model learns from counts, and this target is not log1p of counts or of"
    " scaled counts: set data/expression=log_normalised or log_raw, or take model=strict"
)
NO_COUNTS = (
    "this model learns from counts, and this data has other numbers, such as {}: take model=strict"
)


class Expressed(Protocol):
    """Expression (n_spots, n_genes) of a section: dense for the spots that are asked for, or as a
    block's target.
    """

    def __len__(self) -> int: ...

    def __getitem__(self, spots: Tensor) -> Tensor: ...

    def block(self, spots: Tensor) -> BlockTarget:
        """Expression of the spots of one block, in the form that models learn from."""
        ...

    def fingerprint(self) -> str:
        """Hash of all values."""
        ...


class Rows(Protocol):
    """What is known of each spot of a section, (n_spots, ...), given as float32 for the spots that
    are asked for.
    """

    def __len__(self) -> int: ...

    def __getitem__(self, spots: Tensor) -> Tensor: ...


def in_chunks(rows: Rows) -> Iterator[Tensor]:
    """All rows, some thousands at a time."""
    for start in range(0, len(rows), CHUNK):
        yield rows[torch.arange(start, min(start + CHUNK, len(rows)))]


def _sorted(values: sparse.csr_matrix) -> sparse.csr_matrix:
    return sparse.csr_matrix(values, dtype=np.float32).sorted_indices()


class Target:
    """Expression (n_spots, n_genes) in panel order; NaN where the section did not measure a gene.

    Args:
        values: (n_spots, n_genes), whose zeros are zeros of the target.
        known: (n_genes,), which genes the section measured.
        scale: (n_spots,) where the values are log1p(scale * counts); None where they are not.
    """

    def __init__(
        self,
        values: sparse.csr_matrix | StoredValues,
        known: NDArray[np.bool_],
        scale: NDArray[np.float64] | None = None,
    ) -> None:
        self._values = values if isinstance(values, StoredValues) else _sorted(values)
        self.known = known
        self._scale = scale

    def __len__(self) -> int:
        return int(self._values.shape[0])

    @property
    def n_genes(self) -> int:
        """How many genes the panel has, measured or not."""
        return int(self._values.shape[1])

    @property
    def values(self) -> sparse.csr_matrix:
        """(n_spots, n_genes), whose zeros are zeros of the target."""
        stored = isinstance(self._values, StoredValues)
        return self._values.table() if stored else self._values

    @property
    def scale(self) -> NDArray[np.float64]:
        """What the counts of each spot were multiplied by before log1p, (n_spots,).

        Raises:
            InputError: the values are not log1p of scaled counts.
        """
        if self._scale is None:
            raise InputError(NO_LOG)
        return self._scale

    def counts(self) -> sparse.csr_matrix:
        """Counts (n_spots, n_genes) that the values were made of; 0 where a gene was not measured.

        Raises:
            InputError: the values are not log1p of scaled counts, or these are no whole numbers.
        """
        counts = self.values.astype(np.float64)
        counts.data = np.expm1(counts.data) / np.repeat(self.scale, np.diff(counts.indptr))
        whole = np.rint(counts.data)
        broken = np.abs(counts.data - whole) > ROUNDING * np.maximum(whole, 1)
        if broken.any():
            raise InputError(NO_COUNTS.format(f"{counts.data[broken][0]:.3g}"))
        counts.data = whole
        return counts

    def move_to(self, folder: Path) -> None:
        """From now on the values are read from a file in this folder."""
        self._values = store_values(folder, self.values)

    def __getitem__(self, spots: Tensor) -> Tensor:
        """(len(spots), n_genes)"""
        numbers = spots.numpy()
        return self._tensor(self.values[numbers].toarray(), numbers, np.arange(self.n_genes))

    def fingerprint(self) -> str:
        """Hash of the values, without making them dense."""
        values = self.values
        arrays = (values.data, values.indices, values.indptr, self.known)
        return digest([*map(str, values.shape), *map(array_digest, arrays)])

    def block(self, spots: Tensor) -> BlockTarget:
        """What a model learns at these spots."""
        return BlockTarget.of_counts(self.values[spots.numpy()], self.known)

    def sums(self, shift: NDArray[np.float64]) -> Sums:
        """As `distances` has them, from what is not 0 alone; no spots of a gene that was not
        measured.
        """
        values = self.values
        n = np.where(self.known, float(len(self)), 0.0)
        zeros = np.where(self.known, n - np.bincount(values.indices, minlength=len(n)), 0.0)
        away, squares = column_sums(values, lambda own, genes: own - shift[genes])
        return n, away - zeros * shift, squares + zeros * shift**2

    def genes(self, start: int, stop: int) -> Tensor:
        """All spots of the genes from `start` up to `stop`, (n_spots, n)."""
        return self._tensor(
            self._by_gene[:, start:stop].toarray(order="F"),
            np.arange(len(self)),
            np.arange(start, stop),
        )

    def dense(self) -> Tensor:
        """(n_spots, n_genes)"""
        return self[torch.arange(len(self))]

    def select(self, genes: Numbers) -> "Target":
        """Some of the genes, in this order."""
        return Target(self._values[:, genes], self.known[genes], self._scale)

    @cached_property
    def _by_gene(self) -> sparse.csc_matrix:
        return sparse.csc_matrix(self.values)

    def _tensor(self, values: NDArray[np.float32], spots: Numbers, genes: Numbers) -> Tensor:
        values = self._scaled(values, spots, genes)
        values[:, ~self.known[genes]] = np.nan
        return torch.from_numpy(values)

    def _scaled(
        self, values: NDArray[np.float32], spots: Numbers, genes: Numbers
    ) -> NDArray[np.float32]:
        return values


class ResidualTarget(Target):
    """Pearson residuals, which are nowhere zero: from sparse counts each time.

    Args:
        counts: (n_spots, n_genes).
        library: counts of each spot over all genes, (n_spots,); share: of each gene in all counts
          of the section, (n_genes,).
        theta, limit: overdispersion; largest absolute residual.
    """

    def __init__(
        self,
        counts: sparse.csr_matrix | StoredValues,
        known: NDArray[np.bool_],
        library: NDArray[np.float64],
        share: NDArray[np.float64],
        theta: float,
        limit: float,
    ) -> None:
        super().__init__(counts, known)
        self.library = library
        self.share = share
        self.theta = theta
        self.limit = limit

    def select(self, genes: Numbers) -> Target:
        """Some of the genes, in this order; library sizes stay those over all genes."""
        return ResidualTarget(
            self._values[:, genes],
            self.known[genes],
            self.library,
            self.share[genes],
            self.theta,
            self.limit,
        )

    def sums(self, shift: NDArray[np.float64]) -> Sums:
        """The same of dense rows, some thousands at a time."""
        total = np.zeros((3, self.n_genes))
        for rows in in_chunks(self):
            total += distances(rows.numpy(), shift)
        return total[0], total[1], total[2]

    def block(self, spots: Tensor) -> BlockTarget:
        """Dense, as residuals are nowhere zero."""
        return BlockTarget.of_table(self[spots])

    def fingerprint(self) -> str:
        """Hash of the counts, library sizes, shares, `theta` and `limit`."""
        arrays = (self.library, self.share, np.array([self.theta, self.limit]))
        return digest([super().fingerprint(), *map(array_digest, arrays)])

    def _scaled(
        self, values: NDArray[np.float32], spots: Numbers, genes: Numbers
    ) -> NDArray[np.float32]:
        expected = self.library[spots, None] * self.share[genes]
        residuals = pearson_residuals(values.astype(np.float64), expected, self.theta, self.limit)
        return np.asarray(residuals, dtype=np.float32)
