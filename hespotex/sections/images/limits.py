"""Sizes that a file declares, looked at before any memory is taken."""

import logging
from pathlib import Path
from typing import Any

import numpy as np

from hespotex.common.errors import InputError

log = logging.getLogger(__name__)
ORIENTATION = 274  # tag of TIFF and EXIF; 1 is upright
MOST_PX = 1 << 40  # of a whole slide; the largest scans have a tenth of it
MOST_DECODED_PX = 1 << 30  # of what is decoded at once: a JPEG, a PNG, a strip, a tile
SMALL_PX = 1 << 26  # that much may be decoded whatever the file claims
PX_PER_BYTE = 300  # even blank glass does not compress further; a bomb does
JPEG_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}  # markers that tell the size


def check_decoded(
    width: int, height: int, stored_bytes: int, path: Path, label: str = "the picture"
) -> None:
    """Refuse what is decoded at once and would not fit, or cannot be an image of tissue.

    Args:
        width, height: as declared, in px.
        stored_bytes: of the compressed pixels.
        path, label: for the message.

    Raises:
        InputError: nothing to decode, too much of it, or far more px than the bytes can hold.
    """
    if width < 1 or height < 1:
        raise InputError(
            f"{path}: {label} is {width} x {height} px, which is empty; is the file whole?"
        )
    if width * height > MOST_DECODED_PX:
        raise InputError(
            f"{path}: {label} declares {width} x {height} px, more than can be decoded at once"
            f" ({MOST_DECODED_PX:,} px); save the image as a tiled TIFF"
        )
    if width * height > max(SMALL_PX, PX_PER_BYTE * stored_bytes):
        raise InputError(
            f"{path}: {label} declares {width} x {height} px but has only {stored_bytes:,} bytes,"
            " which holds no image of tissue; is the file whole?"
        )


def check_page(page: Any, path: Path) -> None:
    """Refuse a TIFF page whose declared sizes cannot be.

    Raises:
        InputError: no px, more than any scan has, too few tiles or strips, or one that is too large
          to decode.
    """
    width = int(page.imagewidth)
    height = int(page.imagelength)
    if width < 1 or height < 1 or width * height > MOST_PX:
        raise InputError(
            f"{path}: declares {width} x {height} px, which no scan has; is the file whole?"
        )
    n_chunks = int(np.prod(page.chunked, dtype=object))
    n_stored = min(len(page.dataoffsets), len(page.databytecounts))
    if n_stored < n_chunks:
        raise InputError(
            f"{path}: an image of {width} x {height} px has {n_chunks} tiles or strips, found"
            f" {n_stored}; is the file whole?"
        )
    tile_width, tile_height = chunk_size(page)
    stored = max(page.databytecounts, default=0)
    check_decoded(tile_width, tile_height, int(stored) or MOST_DECODED_PX, path, "a tile or strip")


def chunk_size(page: Any) -> tuple[int, int]:
    """Width and height of a tile or strip in px."""
    if page.planarconfig == 2 and len(page.chunks) == 3:
        return int(page.chunks[2]), int(page.chunks[1])
    return int(page.chunks[1]), int(page.chunks[0])


def check_jpeg(data: bytes, width: int, height: int, path: Path) -> None:
    """Refuse a JPEG tile that declares another size than the TIFF around it, beyond the usual
    padding.
    """
    size = jpeg_size(data)
    if size and size[0] * size[1] > max(SMALL_PX, 4 * width * height):
        raise InputError(
            f"{path}: a tile of {width} x {height} px holds a JPEG that declares {size[0]} x"
            f" {size[1]} px; is the file whole?"
        )


def jpeg_size(data: bytes) -> tuple[int, int] | None:
    """Width and height from a JPEG's frame header; None where there is none."""
    at = 2
    while at + 9 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        if marker in JPEG_FRAMES:
            return int.from_bytes(data[at + 7 : at + 9], "big"), int.from_bytes(
                data[at + 5 : at + 7], "big"
            )
        at += 2 + max(length, 2)
    return None


def tell_orientation(value: Any, path: Path) -> None:
    """Say so where a viewer would turn or mirror the picture: positions count in px as they are
    stored.
    """
    if value not in (None, 0, 1):
        log.warning(
            "%s: its orientation tag (%s) asks viewers to turn or mirror it; px are taken as they"
            " are stored: are positions and masks of the stored picture?",
            *(path, value),
        )
