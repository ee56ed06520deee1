"""Rows on their way into the store: blocks on disk, each whole or absent, so that a killed run goes on."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hespotex.errors import InputError
from hespotex.files import atomic_path
from hespotex.loading import load_array

BLOCK_ROWS = 256
Rows = NDArray[np.float32]


class Blocks:
    """Files `{first row}.npy` in a folder, together the first `n_rows` rows of a table."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.n_rows = sum(len(block) for _, block in self)

    def __iter__(self) -> Iterator[tuple[int, Rows]]:
        """First row and rows of each block; the rows are read from disk only where they are looked at."""
        start = 0
        while (path := self._path(start)).is_file():
            block: Rows = load_array(path, mapped=True)
            yield start, block
            start += len(block)

    def append(self, pieces: Iterable[Rows], label: str) -> None:
        """Write pieces of rows as they come, several to a block.

        Raises:
            InputError: a value that is not a number; `label` says whose.
        """
        waiting: list[Rows] = []
        for piece in pieces:
            waiting.append(_finite(np.asarray(piece, dtype=np.float32), label))
            if sum(map(len, waiting)) >= BLOCK_ROWS:
                self._write(np.concatenate(waiting))
                waiting = []
        if waiting:
            self._write(np.concatenate(waiting))

    def _write(self, block: Rows) -> None:
        with atomic_path(self._path(self.n_rows)) as part:
            np.save(part, block)
        self.n_rows += len(block)

    def _path(self, start: int) -> Path:
        return self.folder / f"{start:09d}.npy"

    @property
    def width(self) -> int:
        """Numbers a row."""
        return next((block.shape[1] for _, block in self), 0)

    def largest(self) -> float:
        """Largest absolute value."""
        return max((float(np.abs(block).max(initial=0)) for _, block in self), default=0.0)


def _finite(piece: Rows, label: str) -> Rows:
    broken = int((~np.isfinite(piece)).any(axis=1).sum())
    if broken:
        raise InputError(
            f"{label}: {broken} of {len(piece)} patches gave values that are not finite; if the encoder runs in 16 bits, "
            "set encoder.precision=fp32"
        )
    return piece
