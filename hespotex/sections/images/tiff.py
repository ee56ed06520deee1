"""Generic TIFF: tiles (or strips) decoded on demand, with a small cache of decoded ones."""

from collections import OrderedDict
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hespotex.common.errors import InputError
from hespotex.sections.images.colour_spaces import JPEG, PageColours, page_colours
from hespotex.sections.images.limits import ORIENTATION, check_jpeg, chunk_size, tell_orientation
from hespotex.sections.images.pixel_size import choose, tiff_tells
from hespotex.sections.images.tiff_file import open_tiff
from hespotex.sections.images.tiff_series import slide_levels

CACHE_BYTES = 128 << 20
LOOKED_AT = 64  # tiles, for the brightest sample
SEPARATE = 2  # TIFF's planar configuration


class TiffImage:
    """A TIFF, its pyramid in SubIFDs or in further pages; see `colour_spaces` for the colours that
    are understood.
    """

    origin = (0, 0)

    def __init__(self, path: Path) -> None:
        self._file = open_tiff(path)
        self._lock = Lock()
        self._pages: list[Any] = slide_levels(self._file, path)
        self._colours: list[PageColours] = [
            page_colours(page, path, self._brightest) for page in self._pages
        ]
        page = self._pages[0]
        tell_orientation(page.tags.valueof(ORIENTATION, None), path)
        self.size = (int(page.imagewidth), int(page.imagelength))
        self.scanned = self.size
        self.downsamples = [page.imagewidth / level.imagewidth for level in self._pages]
        self.mpp, self.mpp_words = choose(tiff_tells(self._file, page), path)
        self._cache: OrderedDict[tuple[int, int], NDArray[np.uint8]] = OrderedDict()
        self._cached_bytes = 0

    def read(self, level: int, x: int, y: int, width: int, height: int) -> NDArray[np.uint8]:
        """RGB (height, width, 3) from the tiles or strips that the rectangle meets; only these are
        decoded.
        """
        page = self._pages[level]
        tile_w, tile_h = chunk_size(page)
        out = np.full((height, width, 3), 255, dtype=np.uint8)
        columns = -(-page.imagewidth // tile_w)
        for row in range(y // tile_h, (y + height - 1) // tile_h + 1):
            for column in range(x // tile_w, (x + width - 1) // tile_w + 1):
                tile = self._tile(level, row * columns + column)
                top = row * tile_h
                left = column * tile_w
                y0 = max(y, top)
                x0 = max(x, left)
                y1 = min(y + height, top + tile.shape[0])
                x1 = min(x + width, left + tile.shape[1])
                out[y0 - y : y1 - y, x0 - x : x1 - x] = tile[
                    y0 - top : y1 - top, x0 - left : x1 - left
                ]
        return out

    def _tile(self, level: int, index: int) -> NDArray[np.uint8]:
        """A decoded tile; threads decode side by side, only the cache is guarded."""
        with self._lock:
            if (level, index) in self._cache:
                self._cache.move_to_end((level, index))
                return self._cache[level, index]
        tile = self._rgb(level, index)
        with self._lock:
            if (level, index) not in self._cache:
                self._cache[level, index] = tile
                self._cached_bytes += tile.nbytes
            while self._cached_bytes > CACHE_BYTES and len(self._cache) > 1:
                self._cached_bytes -= self._cache.popitem(last=False)[1].nbytes
        return tile

    def _rgb(self, level: int, index: int) -> NDArray[np.uint8]:
        samples = self._samples(self._pages[level], index)
        if samples is None:  # a sparse tile: nothing was scanned there
            tile_w, tile_h = chunk_size(self._pages[level])
            return np.full((tile_h, tile_w, 3), 255, dtype=np.uint8)
        return self._colours[level](self._inside(level, index, samples))

    def _inside(self, level: int, index: int, samples: NDArray[Any]) -> NDArray[Any]:
        """A tile without what pads it beyond the image."""
        page = self._pages[level]
        tile_w, tile_h = chunk_size(page)
        row, column = divmod(index, -(-page.imagewidth // tile_w))
        return samples[: page.imagelength - row * tile_h, : page.imagewidth - column * tile_w]

    def _samples(self, page: Any, index: int) -> NDArray[Any] | None:
        """A tile as it is stored, (rows, columns, samples); None where nothing is stored."""
        if page.planarconfig != SEPARATE:
            return self._decode(page, index)
        n_tiles = (
            int(np.prod(page.chunked[1:])) if len(page.chunked) == 3 else int(np.prod(page.chunked))
        )
        planes = [
            self._decode(page, index + plane * n_tiles)
            for plane in range(int(page.samplesperpixel))
        ]
        stored = [plane for plane in planes if plane is not None]
        if len(stored) < len(planes):
            return None
        return np.concatenate(stored, axis=2)

    def _decode(self, page: Any, index: int) -> NDArray[Any] | None:
        data = self._bytes(page, index)
        path = self._file.filehandle.path
        if page.compression in JPEG:
            check_jpeg(data, *chunk_size(page), path)
        tables = {"jpegtables": page.jpegtables} if page.jpegtables is not None else {}
        try:
            decoded, _, _ = page.decode(data or None, index, **tables)
        except Exception as error:  # each codec has its own
            raise InputError(
                f"{path}: tile {index} cannot be decoded ({error}); is the file whole?"
            ) from error
        return None if decoded is None else np.asarray(decoded[0])

    def _bytes(self, page: Any, index: int) -> bytes:
        handle = self._file.filehandle
        count = int(page.databytecounts[index])
        if page.dataoffsets[index] + count > handle.size:
            raise InputError(f"{handle.path}: ends inside tile {index}; is the file whole?")
        with self._lock:
            handle.seek(page.dataoffsets[index])
            return bytes(handle.read(count))

    def _brightest(self) -> int:
        """The largest sample of tiles from all over the coarsest level."""
        page = self._pages[-1]
        n_chunks = len(page.dataoffsets)
        some = range(0, n_chunks, max(1, -(-n_chunks // LOOKED_AT)))
        tiles = (self._decode(page, index) for index in some)
        return max((int(tile.max(initial=0)) for tile in tiles if tile is not None), default=0)
