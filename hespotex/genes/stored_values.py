"""Expression of a section that does not fit in memory with that of the others: sparse in the
store.
"""

import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from hespotex.common.files import digest
from hespotex.common.hdf5 import new_hdf5, open_hdf5
from hespotex.common.numerics.digests import array_digest
from hespotex.common.sparse_file import SparseFile, write_sparse
from hespotex.common.store_check import CHECKSUM, checksum, why_damaged

NAME = "expression"
Numbers = NDArray[np.int64]


@dataclass(frozen=True)
class StoredValues:
    """A table (n_spots, n_genes) that is read where it is looked at.

    Attributes:
        file: where it lies.
        genes: columns of the file, in this order; None for all.
    """

    file: SparseFile
    genes: Numbers | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """(n_spots, n_genes)"""
        n_spots, n_genes = self.file.shape
        return n_spots, n_genes if self.genes is None else len(self.genes)

    def table(self) -> sparse.csr_matrix:
        """As it was stored."""
        whole = self.file.table()
        return whole if self.genes is None else whole[:, self.genes].sorted_indices()

    def __getitem__(self, places: tuple[slice, Numbers]) -> "StoredValues":
        """`[:, genes]`: some of the genes; nothing is read."""
        genes = places[1] if self.genes is None else self.genes[places[1]]
        return replace(self, genes=genes)


def store_values(folder: Path, table: sparse.csr_matrix) -> StoredValues:
    """Put a table of sorted indices into `{folder}/expression-{hash of its content}.h5`, for all
    folds and processes that come to the same.
    """
    arrays = (table.data, table.indices, table.indptr)
    identity = [*map(int, table.shape), *map(array_digest, arrays)]
    path = folder / f"{NAME}-{digest(identity)}.h5"
    if not path.is_file() or why_damaged(path):
        with new_hdf5(path) as file:
            write_sparse(file, table)
            file.attrs["identity"] = json.dumps({"content": identity, "name": NAME})
            file.attrs[CHECKSUM] = checksum(file)
    with open_hdf5(path, in_parts=True) as file:
        return StoredValues(SparseFile.of(file))
