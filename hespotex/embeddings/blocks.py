"""Rows on their way into the store: blocks on disk, each whole or absent, so that a killed run goes
on.
"""

import logging
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hespotex.common.errors import InputError
from hespotex.common.files import atomic_path
from hespotex.common.loading import array_bytes, load_array

BLOCK_ROWS = 256
CHECKSUM_BYTES = 4  # after the rows of each block
log = logging.getLogger(__name__)
Rows = NDArray[np.float32]


class Blocks:
    """Files `{first row}.npy` in a folder, together the first `n_rows` rows of a table."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        if folder.is_file():  # not ours
            folder.unlink()
        folder.mkdir(parents=True, exist_ok=True)
        self._drop_damaged()
        self.n_rows = sum(len(block) for _, block in self)

    def _drop_damaged(self) -> None:
        """Keep the blocks up to the first that is not as it was written."""
        whole = True
        for path in sorted(self.folder.glob("[0-9]*.npy")):
            if whole and not _is_whole(path):
                log.warning("%s is damaged: its rows, and those after it, are made anew", path)
                whole = False
            if not whole:
                path.unlink()

    def __iter__(self) -> Iterator[tuple[int, Rows]]:
        """First row and rows of each block; the rows are read from disk only where they are looked
        at.
        """
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
        with atomic_path(self._path(self.n_rows)) as partial:
            content = array_bytes(block)
            checksum = zlib.crc32(content)
            partial.write_bytes(bytes(content) + checksum.to_bytes(CHECKSUM_BYTES, "little"))
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


def _is_whole(path: Path) -> bool:
    """Whether the checksum at the end of a block fits what stands before it."""
    content = path.read_bytes()
    return (
        zlib.crc32(content[:-CHECKSUM_BYTES]).to_bytes(CHECKSUM_BYTES, "little")
        == content[-CHECKSUM_BYTES:]
    )


def _finite(piece: Rows, label: str) -> Rows:
    broken = int((~np.isfinite(piece)).any(axis=1).sum())
    if broken:
        raise InputError(
            f"{label}: {broken} of {len(piece)} patches gave values that are not finite; if the"
            " encoder runs in 16 bits, set encoder.precision=fp32"
        )
    return piece
