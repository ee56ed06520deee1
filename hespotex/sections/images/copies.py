"""Images of other stores copied as TIFF, once: everything else reads files by region."""

import hashlib
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from filelock import FileLock
from numpy.typing import NDArray

from hespotex.common.files import atomic_path, safe_name

log = logging.getLogger(__name__)
TILE = 512  # px


def place_of(source: Path, target: Path) -> Path:
    """Where the copy of an image lies, or will lie.

    Args:
        source: folder of the original's chunks; the copy's name holds a hash of their names, sizes
          and times, so that another image never passes for it.
        target: path of the copy, without that hash and ending.
    """
    return target.with_name(f"{safe_name(target.name)}-{_fingerprint(source)}.tif")


def copy_of(source: Path, target: Path, levels: Sequence[Any]) -> Path:
    """The copy of an image, made where it is missing.

    Args:
        source, target: see `place_of`.
        levels: its pyramid, arrays (c, y, x) of RGB in 8 bits, full resolution first; parts are
          computed when they are asked for.
    """
    path = place_of(source, target)
    if path.is_file():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_suffix(".lock")):
        if not path.is_file():
            _, height, width = levels[0].shape
            log.info("%s is copied as %s, %d x %d px", source, path, width, height)
            with atomic_path(path) as partial:
                _write(partial, levels)
    return path


def _write(path: Path, levels: Sequence[Any]) -> None:
    with tifffile.TiffWriter(path, bigtiff=True) as tiff:
        for number, level in enumerate(levels):
            _, height, width = level.shape
            kind = {"subifds": len(levels) - 1} if number == 0 else {"subfiletype": 1}
            tiff.write(
                _tiles(level), shape=(height, width, 3), dtype=np.uint8, tile=(TILE, TILE),
                photometric="rgb", compression="deflate", metadata=None, **kind,
            )  # fmt: skip


def _tiles(level: Any) -> Iterator[NDArray[np.uint8]]:
    """Tiles (TILE, TILE, 3), row by row; those at the border are filled up."""
    _, height, width = level.shape
    for top in range(0, height, TILE):
        band = np.moveaxis(np.asarray(level[:3, top : top + TILE]), 0, 2)
        for left in range(0, width, TILE):
            block = band[:, left : left + TILE]
            tile = np.zeros((TILE, TILE, 3), dtype=np.uint8)
            tile[: block.shape[0], : block.shape[1]] = block
            yield tile


def _fingerprint(folder: Path) -> str:
    hasher = hashlib.blake2b(digest_size=8)
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        facts = file.stat()
        hasher.update(f"{file.relative_to(folder)} {facts.st_size} {facts.st_mtime_ns}\n".encode())
    return hasher.hexdigest()
