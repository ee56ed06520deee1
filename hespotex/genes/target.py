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

from hespotex.common.files import digest
from hespotex.embeddings.rows import CHUNK
from hespotex.genes.block_target import BlockTarget
from hespotex.genes.residuals import pearson_residuals
from hespotex.genes.stored_values import StoredValues, store_values

Numbers = NDArray[np.int64]


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
    """

    def __init__(self, values: sparse.csr_matrix | StoredValues, known: NDArray[np.bool_]) -> None:
        self._values = values if isinstance(values, StoredValues) else _sorted(values)
        self.known = known

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
        return digest([*map(str, values.shape), *(digest(array.tobytes()) for array in arrays)])

    def block(self, spots: Tensor) -> BlockTarget:
        """What a model learns at these spots."""
        return BlockTarget.of_counts(self.values[spots.numpy()], self.known)

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
        return Target(self._values[:, genes], self.known[genes])

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

    def block(self, spots: Tensor) -> BlockTarget:
        """Dense, as residuals are nowhere zero."""
        return BlockTarget.of_table(self[spots])

    def fingerprint(self) -> str:
        """Hash of the counts, library sizes, shares, `theta` and `limit`."""
        arrays = (self.library, self.share, np.array([self.theta, self.limit]))
        return digest([super().fingerprint(), *(digest(array.tobytes()) for array in arrays)])

    def _scaled(
        self, values: NDArray[np.float32], spots: Numbers, genes: Numbers
    ) -> NDArray[np.float32]:
        expected = self.library[spots, None] * self.share[genes]
        residuals = pearson_residuals(values.astype(np.float64), expected, self.theta, self.limit)
        return np.asarray(residuals, dtype=np.float32)
