"""Embedding store: one HDF5 file per (section, encoder, weights, patch geometry, positions),
computed once.
"""

import json
import logging
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from filelock import FileLock, Timeout
from numpy.typing import NDArray

from hespotex.common.errors import InputError
from hespotex.common.files import digest, safe_name
from hespotex.common.store_check import CHECKSUM, checksum, why_damaged
from hespotex.embeddings.blocks import Blocks
from hespotex.embeddings.rows import StoredRows

PRECISION = {"half": np.float16, "full": np.float32}
Rows = NDArray[np.float32]
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Request:
    """Rows that are wanted: of a section, by an encoder (or counter) of this name, made in just
    this way.
    """

    section_id: str
    name: str
    identity: dict[str, Any]
    barcodes: list[str]


class EmbeddingStore:
    """Files `{root}/{section_id}/{name}-{key}.h5` with `embedding` (n_spots, d) and `barcode`
    (n_spots,).

    The key is a hash of everything that made the numbers, so a change of any of it makes a new file
    and nothing is ever stale. Rows are kept in blocks while they are made, so that an interrupted
    run goes on where it was; the file appears whole. One process makes a file while others wait for
    it: the lock is the operating system's, which frees it when its holder dies.

    Args:
        root: folder.
        precision: "half" keeps 16 bits a number (where all fit its range), "full" 32.
        read_workers: threads that read patches ahead of the encoder; None takes what fits the
          machine.
    """

    def __init__(self, root: str, precision: str = "half", read_workers: int | None = None) -> None:
        if precision not in PRECISION:
            raise InputError(
                f"store.precision: expected {' or '.join(PRECISION)}, got {precision!r}"
            )
        self.root = Path(root)
        self.precision = precision
        self.read_workers = read_workers

    def path(self, request: Request) -> Path:
        """Where the rows of this request are, or will be."""
        key = digest({**request.identity, "precision": self.precision})
        return self.root / safe_name(request.section_id) / f"{safe_name(request.name)}-{key}.h5"

    def load(
        self,
        request: Request,
        compute: Callable[[int], Iterable[Rows]],
        order: Callable[[], NDArray[np.int64]] | None = None,
    ) -> StoredRows:
        """Rows (n_spots, d) in the order of the barcodes; they stay on disk until they are looked
        at.

        Args:
            compute: yields rows in pieces, from a row number on; called only when the file is not
              there.
            order: the order (n_spots,) in which `compute` goes through the spots; None is as they
              come.
        """
        path = self.path(request)
        if not self.holds(request) or path.with_suffix(".part").is_dir():
            path.parent.mkdir(parents=True, exist_ok=True)
            with _locked(path):
                # made by another, or killed before its blocks were gone
                if self.holds(request, said=True):
                    shutil.rmtree(path.with_suffix(".part"), ignore_errors=True)
                else:
                    barcodes = (
                        request.barcodes
                        if order is None
                        else [request.barcodes[i] for i in order()]
                    )
                    self._fill(path, request, barcodes, compute)
        return StoredRows(path, request.barcodes)

    def holds(self, request: Request, said: bool = False) -> bool:
        """Whether the rows are there, and whole.

        Args:
            said: tell of a damaged file, which is made anew.
        """
        path = self.path(request)
        if not path.is_file():
            return False
        if (reason := why_damaged(path)) and said:
            log.warning("%s is damaged (%s): made anew", path, reason)
        return reason is None

    def _fill(
        self,
        path: Path,
        request: Request,
        barcodes: list[str],
        compute: Callable[[int], Iterable[Rows]],
    ) -> None:
        blocks = Blocks(path.with_suffix(".part"))
        done = blocks.n_rows
        if done:
            log.info("%s: going on after %d of %d spots", path.name, done, len(barcodes))
        if done < len(barcodes):
            blocks.append(compute(done), f"{request.name} of {request.section_id}")
        if blocks.n_rows != len(barcodes):
            shutil.rmtree(blocks.folder)
            raise ValueError(f"{path}: expected {len(barcodes)} rows, got {blocks.n_rows}")
        identity = json.dumps(
            {**request.identity, "name": request.name, "precision": self.precision}, sort_keys=True
        )
        _write(blocks, PRECISION[self.precision], barcodes, identity, path)
        log.info("stored %s: %d spots", path, len(barcodes))


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold the lock of a file; say so when somebody else is at it."""
    lock = FileLock(path.with_suffix(".lock"))
    try:
        lock.acquire(timeout=1)
    except Timeout:
        log.info("another process is making %s: waiting for it", path)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _write(blocks: Blocks, dtype: Any, barcodes: list[str], identity: str, path: Path) -> None:
    """All blocks as one file, which is renamed into place; the blocks go."""
    if dtype is np.float16 and (largest := blocks.largest()) > float(np.finfo(dtype).max):
        log.info("%s: numbers up to %.3g do not fit in 16 bits, kept in 32", path.name, largest)
        dtype = np.float32
    whole = blocks.folder / "whole.h5"
    width = blocks.width
    with h5py.File(whole, "w") as file:
        rows = file.create_dataset(
            "embedding", (len(barcodes), width), dtype, track_times=False
        )  # contiguous: it can be mapped
        for start, block in blocks:
            rows[start : start + len(block)] = block
        file.create_dataset("barcode", data=[b.encode() for b in barcodes], track_times=False)
        file.attrs["identity"] = identity
        file.attrs[CHECKSUM] = checksum(file)
    whole.replace(path)
    shutil.rmtree(blocks.folder)
