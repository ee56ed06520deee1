"""TIFF files, opened by whoever reads them."""

import struct
from pathlib import Path

import tifffile

from hespotex.common.errors import InputError


def open_tiff(path: Path) -> tifffile.TiffFile:
    """A TIFF whose pages can all be gone through.

    Raises:
        InputError: its pages follow one another in a circle, which would have no end.
        TiffFileError: no TIFF.
    """
    file = tifffile.TiffFile(path, _multifile=False)
    try:
        _check_chain(file, path)
    except BaseException:
        file.close()
        raise
    return file


def _check_chain(file: tifffile.TiffFile, path: Path) -> None:
    """Walk from page to page, by the place that each gives for the next one."""
    passed: set[int] = set()
    try:
        offset = int(file.pages.first.offset)
    except IndexError:  # no page at all: whoever reads it says so
        return
    while 0 < offset < file.filehandle.size:
        if offset in passed:
            raise InputError(f"{path}: its pages follow in a circle; is the file whole?")
        passed.add(offset)
        offset = _next(file, offset)


def _next(file: tifffile.TiffFile, offset: int) -> int:
    """Where the page after the one at `offset` is; 0 where the file ends before it says."""
    tiff = file.tiff
    handle = file.filehandle
    try:
        handle.seek(offset)
        (n_tags,) = struct.unpack(tiff.tagnoformat, handle.read(tiff.tagnosize))
        handle.seek(offset + tiff.tagnosize + n_tags * tiff.tagsize)
        (next_offset,) = struct.unpack(tiff.offsetformat, handle.read(tiff.offsetsize))
    except (struct.error, OSError):
        return 0
    return int(next_offset)
