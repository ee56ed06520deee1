"""Generic TIFF: tiles (or strips) decoded on demand, with a small cache of decoded ones."""

from collections import OrderedDict
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from hespotex.errors import InputError

CACHE_BYTES = 128 << 20
UM_PER_UNIT = {2: 25_400.0, 3: 10_000.0}  # TIFF ResolutionUnit: inch, centimetre


class TiffImage:
    """A TIFF of 8-bit RGB(A) or grey pages, its pyramid in SubIFDs or in further pages."""

    def __init__(self, path: Path) -> None:
        self._file = tifffile.TiffFile(path)
        series = self._file.series[0]
        self._pages: list[Any] = [level.pages[0] for level in series.levels]
        page = self._pages[0]
        if page.dtype != np.uint8 or page.axes not in ("YXS", "YX"):
            raise InputError(
                f"{path}: expected 8-bit RGB or grey with interleaved channels, found {page.dtype} with axes {page.axes}; "
                "convert it, for example with `vips colourspace`"
            )
        self.size = (int(page.imagewidth), int(page.imagelength))
        self.downsamples = [page.imagewidth / level.imagewidth for level in self._pages]
        self.mpp = _mpp(page)
        self._cache: OrderedDict[tuple[int, int], NDArray[np.uint8]] = OrderedDict()
        self._cached_bytes, self._lock = 0, Lock()

    def read(self, level: int, x: int, y: int, width: int, height: int) -> NDArray[np.uint8]:
        page = self._pages[level]
        tile_h, tile_w = page.chunks[0], page.chunks[1]
        out = np.full((height, width, 3), 255, dtype=np.uint8)
        columns = -(-page.imagewidth // tile_w)
        for row in range(y // tile_h, (y + height - 1) // tile_h + 1):
            for column in range(x // tile_w, (x + width - 1) // tile_w + 1):
                tile = self._tile(level, row * columns + column)
                top, left = row * tile_h, column * tile_w
                y0, x0 = max(y, top), max(x, left)
                y1, x1 = min(y + height, top + tile.shape[0]), min(x + width, left + tile.shape[1])
                out[y0 - y : y1 - y, x0 - x : x1 - x] = tile[y0 - top : y1 - top, x0 - left : x1 - left]
        return out

    def _tile(self, level: int, index: int) -> NDArray[np.uint8]:
        """A decoded tile; threads decode side by side, only the cache is guarded."""
        with self._lock:
            if (level, index) in self._cache:
                self._cache.move_to_end((level, index))
                return self._cache[level, index]
        tile = self._decode(self._pages[level], index)
        with self._lock:
            if (level, index) not in self._cache:
                self._cache[level, index] = tile
                self._cached_bytes += tile.nbytes
            while self._cached_bytes > CACHE_BYTES and len(self._cache) > 1:
                self._cached_bytes -= self._cache.popitem(last=False)[1].nbytes
        return tile

    def _decode(self, page: Any, index: int) -> NDArray[np.uint8]:
        handle = self._file.filehandle
        with self._lock:
            handle.seek(page.dataoffsets[index])
            data = handle.read(page.databytecounts[index])
        if len(data) < page.databytecounts[index]:
            raise InputError(f"{handle.path}: ends inside tile {index}; is the file whole?")
        tables = {"jpegtables": page.jpegtables} if page.jpegtables is not None else {}
        try:
            decoded, _, shape = page.decode(data or None, index, **tables)
        except Exception as error:  # each codec has its own
            raise InputError(f"{handle.path}: tile {index} cannot be decoded ({error}); is the file whole?") from error
        if decoded is None:  # a sparse tile: nothing was scanned there
            return np.full((*shape[1:3], 3), 255, dtype=np.uint8)
        pixels = np.asarray(decoded[0])
        return np.repeat(pixels, 3, axis=2) if pixels.shape[2] == 1 else pixels[..., :3]


def _mpp(page: Any) -> float | None:
    unit, resolution = page.tags.get("ResolutionUnit"), page.tags.get("XResolution")
    if unit is None or resolution is None or resolution.value[0] == 0:
        return None
    um = UM_PER_UNIT.get(int(unit.value))
    return None if um is None else um * resolution.value[1] / resolution.value[0]
