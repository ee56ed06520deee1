"""Embeddings of a section, left on disk until a row is looked at."""

from collections.abc import Iterator, Sequence
from copy import copy
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hespotex.common.errors import InputError
from hespotex.common.hdf5 import open_hdf5
from hespotex.embeddings.levels import Scale

CHUNK = 4096  # rows at a time where all are gone through
Spots = slice | NDArray[np.int64]
Array = NDArray[np.float32]


class StoredRows:
    """Rows of one file of the store, in the order of `barcodes`: a read-only memory map that
    processes share.

    The file is open only while rows are looked at: a data set may have more sections than a process
    may have open files (by default 1,024).

    Args:
        path: HDF5 file with `embedding` (n, d) and `barcode` (n,).
        barcodes: the spots that are wanted; all must be in the file.

    `width`: d.
    """

    def __init__(self, path: Path, barcodes: Sequence[str]) -> None:
        self.path = path
        with open_hdf5(path, in_parts=True) as file:
            names = [name.decode() for name in file["barcode"][:]]
            data = file["embedding"]
            self._layout = data.dtype, data.id.get_offset(), data.shape
            whole = data.id.get_offset() is None  # compressed or in chunks: of an older version
            self._whole = data[:] if whole else None
        self.width = int(self._layout[2][1])
        self.order = _places(names, list(barcodes))

    @property
    def rows(self) -> NDArray[Any]:
        """All rows as they lie in the file, (n, d).

        Raises:
            InputError: the file was removed meanwhile.
        """
        if self._whole is not None:
            return self._whole
        dtype, offset, shape = self._layout
        try:
            return np.memmap(self.path, dtype, "r", offset, shape)
        except OSError as error:
            raise InputError(
                f"{self.path}: taken out of the store while it was in use ({error}); give the same"
                " command again"
            ) from error

    def __getitem__(self, spots: Spots) -> Array:
        return np.asarray(self.rows[self.order[spots]], dtype=np.float32)

    def keep(self, spots: NDArray[np.int64]) -> "StoredRows":
        """Some of the rows, in this order."""
        subset = copy(self)
        subset.order = self.order[spots]
        return subset


def _places(names: list[str], wanted: list[str]) -> NDArray[np.int64]:
    """Where each of `wanted` is among the names, (n,)."""
    if wanted == names:
        return np.arange(len(names))
    place = {name: i for i, name in enumerate(names)}
    return np.array([place[name] for name in wanted], dtype=np.int64)


class Embeddings:
    """Embeddings (n_spots, d) of a section, those of all patch sizes side by side."""

    def __init__(self, parts: Sequence[StoredRows]) -> None:
        self.parts = parts
        self.shape = (
            len(parts[0].order),
            sum(rows_of_size.width for rows_of_size in parts),
        )

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, spots: Spots) -> Array:
        return np.concatenate([rows_of_size[spots] for rows_of_size in self.parts], axis=1)

    def keep(self, spots: NDArray[np.int64]) -> "Embeddings":
        """Those of some spots, in this order."""
        return Embeddings([rows_of_size.keep(spots) for rows_of_size in self.parts])

    def chunks(self) -> Iterator[Array]:
        """All rows, some thousands at a time."""
        for start in range(0, len(self), CHUNK):
            yield self[start : start + CHUNK]


class JoinedRows:
    """Rows of several embeddings, those of one after those of the other."""

    def __init__(self, parts: Sequence[Embeddings]) -> None:
        self.parts = parts
        self.starts = np.cumsum([0, *map(len, parts)])
        self.shape = (int(self.starts[-1]), parts[0].shape[1])

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, spots: Spots) -> Array:
        numbers = np.arange(len(self))[spots]
        rows = np.empty((len(numbers), self.shape[1]), dtype=np.float32)
        for section, start in zip(self.parts, self.starts, strict=False):
            inside = (numbers >= start) & (numbers < start + len(section))
            rows[inside] = section[numbers[inside] - start]
        return rows


class ImageRows:
    """Embeddings as a model gets them, float32.

    Args:
        embeddings: of the section.
        scale: by which they are standardised; None leaves them as they are.
        order: each spot gets the row of the spot named here, (n_spots,); None for its own.
    """

    def __init__(
        self,
        embeddings: Embeddings | JoinedRows,
        scale: Scale | None,
        order: NDArray[np.int64] | None = None,
    ) -> None:
        self.embeddings = embeddings
        self.scale = scale
        self.order = np.arange(len(embeddings)) if order is None else order

    def __len__(self) -> int:
        return len(self.embeddings)

    def __getitem__(self, spots: Tensor) -> Tensor:
        rows = self.embeddings[self.order[spots.numpy()]]
        return torch.from_numpy(self.scale(rows) if self.scale else rows)

    def scaled_by(self, scale: Scale | None) -> "ImageRows":
        """The same rows, standardised by another scale."""
        return ImageRows(self.embeddings, scale, self.order)


class Views:
    """Turned and mirrored patches beside the patch as it lies, (n_spots, n_views, d)."""

    def __init__(self, views: Sequence[ImageRows]) -> None:
        self.views = views

    def __len__(self) -> int:
        return len(self.views[0])

    def __getitem__(self, spots: Tensor) -> Tensor:
        return torch.stack([view[spots] for view in self.views], dim=1)
