"""A sparse table in an HDF5 file, whose rows are read where they lie: nothing of it stays in
memory.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray
from scipy import sparse

PARTS = ("values", "columns", "starts")
SMALL = (np.uint8, np.uint16)  # counts that fit are kept in so few bits


def write_sparse(file: h5py.File, table: sparse.csr_matrix, small: bool = False) -> None:
    """Put a table (n_rows, n_columns) of 32-bit numbers into the file, its entries in their order.

    Args:
        small: in as few bits as hold every number exactly, which takes a copy to read; else as it
          is, so that rows can be looked at alone.
    """
    table = sparse.csr_matrix(table, dtype=np.float32)
    narrow = small and table.shape[1] <= np.iinfo(np.uint16).max
    arrays = {
        "values": _smallest(table.data) if small else table.data,
        "columns": table.indices.astype(np.uint16 if narrow else np.int32),
        "starts": table.indptr.astype(np.int32 if table.nnz < 2**31 else np.int64),
    }
    for name, array in arrays.items():  # contiguous: it can be mapped
        file.create_dataset(name, data=array, track_times=False)
    file.attrs["shape"] = table.shape


def _smallest(values: NDArray[np.float32]) -> NDArray[Any]:
    for kind in SMALL:
        if not len(values) or (values.min() >= 0 and values.max() <= np.iinfo(kind).max):
            few = values.astype(kind)
            if (few == values).all():
                return few
    return values


@dataclass(frozen=True)
class SparseFile:
    """Where the parts of a table lie in a file: offset in bytes (None for an empty part), kind of
    number, length.
    """

    path: Path
    shape: tuple[int, int]
    parts: tuple[tuple[int | None, str, int], ...]

    @classmethod
    def of(cls, file: h5py.File) -> "SparseFile":
        """Of an open file that `write_sparse` has filled."""
        n_rows, n_columns = (int(n) for n in file.attrs["shape"])
        data = [file[name] for name in PARTS]
        layouts = tuple((one.id.get_offset(), one.dtype.str, len(one)) for one in data)
        return cls(Path(file.filename), (n_rows, n_columns), layouts)

    @property
    def nbytes(self) -> int:
        """On the disk."""
        return sum(np.dtype(kind).itemsize * n for _, kind, n in self.parts)

    def table(self) -> sparse.csr_matrix:
        """The table; its numbers are read from the file where they are looked at, if they are
        stored as they are used.
        """
        values, columns, starts = (self._mapped(*layout) for layout in self.parts)
        if values.dtype != np.float32:
            values = values.astype(np.float32)
        if columns.dtype != starts.dtype:
            columns = columns.astype(starts.dtype)
        return sparse.csr_matrix((values, columns, starts), shape=self.shape, copy=False)

    def _mapped(self, offset: int | None, kind: str, n: int) -> NDArray[Any]:
        if offset is None:
            return np.zeros(n, kind)
        return np.memmap(self.path, kind, "r", offset, (n,))
