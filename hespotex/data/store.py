"""Embedding store: one HDF5 file per (section, encoder, weights, patch geometry, positions), computed once."""

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from hespotex.files import atomic_path, digest

log = logging.getLogger(__name__)


class EmbeddingStore:
    """Files `{root}/{section_id}/{name}-{key}.h5` with `embedding` (n_spots, d) and `barcode` (n_spots,).

    The key is a hash of everything that made the numbers, so a change of any of it makes a new file and
    nothing is ever stale. Files are written under a temporary name and renamed; a lock beside them lets one
    process compute while others wait for its file.
    """

    def __init__(self, root: str) -> None:
        self.root = Path(root)

    def path(self, section_id: str, name: str, identity: dict[str, Any]) -> Path:
        return self.root / section_id / f"{name}-{digest(identity)}.h5"

    def load(
        self,
        section_id: str,
        name: str,
        identity: dict[str, Any],
        barcodes: list[str],
        compute: Callable[[], NDArray[np.float32]],
    ) -> NDArray[np.float32]:
        """Rows (n_spots, d) in the order of `barcodes`; `compute` is called only when the file is not there."""
        path = self.path(section_id, name, identity)
        if not path.is_file():
            path.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(path.with_suffix(".lock")):
                if not path.is_file():
                    _write(path, identity, barcodes, compute())
        return _read(path, barcodes)


def _write(path: Path, identity: dict[str, Any], barcodes: list[str], rows: NDArray[np.float32]) -> None:
    if rows.shape[0] != len(barcodes) or not np.isfinite(rows).all():
        raise ValueError(f"expected finite embeddings ({len(barcodes)}, d), got {rows.shape}")
    with atomic_path(path) as part, h5py.File(part, "w", track_order=True) as file:
        file.create_dataset("embedding", data=rows, track_times=False)
        file.create_dataset("barcode", data=[b.encode() for b in barcodes], track_times=False)
        file.attrs["identity"] = json.dumps(identity, sort_keys=True)
    log.info("stored %s: %d x %d", path, *rows.shape)


def _read(path: Path, barcodes: list[str]) -> NDArray[np.float32]:
    with h5py.File(path) as file:
        row = {name.decode(): i for i, name in enumerate(file["barcode"][:])}
        rows: NDArray[np.float32] = file["embedding"][:]
    return rows[[row[barcode] for barcode in barcodes]]
