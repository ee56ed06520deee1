"""The slide as small pictures beside its page, so that nuclei can be seen: a pyramid of tiles where
there is tissue.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import cv2
import numpy as np
from numpy.typing import NDArray

from hespotex.common.files import atomic_path
from hespotex.common.progress import progress_bar
from hespotex.results.predictions import section_picture
from hespotex.sections.images import RegionReader, open_image
from hespotex.sections.images.region import best_level, level_size
from hespotex.sections.section import Section
from hespotex.sections.tissue import Tissue

FOLDER = "_tiles"  # after the slide's name
SIDE = 512  # px of a tile; those at the border are smaller
PICTURE_PX = 2000  # longest side of the picture that the page itself holds
NUCLEI_UM = 0.55  # um per px at which nuclei are seen
QUALITY = [cv2.IMWRITE_JPEG_QUALITY, 80]
SAMPLED = 16  # tiles that are encoded to learn how large all will be
Picture = NDArray[np.uint8]


@dataclass(frozen=True)
class Level:
    """Tiles of one scale.

    Attributes:
        step: full-resolution px per px.
        held: (rows, columns), which tiles there are.
    """

    step: int
    held: NDArray[np.bool_]


def write_tiles(
    section: Section, tissue: Tissue, folder: Path, max_mb: float
) -> dict[str, Any] | None:
    """Write `STEP/COLUMN_ROW.jpg` for every tile that holds tissue or a spot.

    The slide is read once, a row of the finest tiles at a time; coarser ones are made of these.

    Args:
        section: of the slide.
        tissue: of it.
        folder: to be written, atomically.
        max_mb: how large it may be, about; where that is too small for tiles that show nuclei, the
          finest are coarser.

    Returns:
        What the page must know of them; None where its own picture shows as much.
    """
    if section.image is None:
        return None
    image = open_image(section.image)
    levels = _fitting(image, _levels(image, section, tissue), max_mb * 1e6)
    if not levels:
        return None
    with atomic_path(folder) as part:
        part.mkdir()
        pyramid = _Pyramid(image, levels, section_picture(section, PICTURE_PX), part)
        with progress_bar(int(levels[0].held.sum()), "tiles", section.section_id) as bar:
            for _ in pyramid.rows(len(levels) - 1, bar):
                pass
    held = {level.step: level.held for level in reversed(levels)}
    return {
        "folder": f"{quote(folder.name)}/",
        "side": SIDE,
        "um": levels[0].step * section.mpp,
        "levels": [
            {"step": step, "columns": grid.shape[1], "held": np.flatnonzero(grid).tolist()}
            for step, grid in held.items()
        ],
    }


def _levels(image: RegionReader, section: Section, tissue: Tissue) -> list[Level]:
    """The finest first, up to the scale of the page's own picture."""
    step = 1
    while section.mpp * step * 2 <= NUCLEI_UM:
        step *= 2
    held = _with_tissue(image, section, tissue, SIDE * step)
    levels = []
    while max(image.size) > PICTURE_PX * step:
        levels.append(Level(step, held))
        step *= 2
        held = _pairs(held)
    return levels


def _with_tissue(
    image: RegionReader, section: Section, tissue: Tissue, side: int
) -> NDArray[np.bool_]:
    """Which squares of so many full-resolution px hold tissue or the centre of a spot."""
    columns, rows = (-(-size // side) for size in image.size)
    y, x = np.indices((rows, columns))
    centres = (np.stack([x.ravel(), y.ravel()], axis=1).astype(np.float64) + 0.5) * side
    held = (tissue.fraction(centres, side) > 0).reshape(rows, columns)
    at = (section.pos_px // side).astype(int).clip(0, [columns - 1, rows - 1])
    held[at[:, 1], at[:, 0]] = True
    return held


def _pairs(held: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Two by two: whether one of the four is there."""
    rows, columns = held.shape
    even = np.pad(held, ((0, rows % 2), (0, columns % 2)))
    return even[::2, ::2] | even[1::2, ::2] | even[::2, 1::2] | even[1::2, 1::2]


def _fitting(image: RegionReader, levels: list[Level], max_bytes: float) -> list[Level]:
    """The levels less the finest ones that are too large, by the size of some of their tiles."""
    while levels:
        level = levels[0]
        places = np.argwhere(level.held)
        some = places[:: -(-len(places) // SAMPLED)]
        size = np.mean([len(_jpeg(_read(image, level.step, *place))) for place in some])
        if size * sum(int(each.held.sum()) for each in levels) <= max_bytes:
            break
        levels = levels[1:]
    return levels


def _size(image: RegionReader, step: int, row: int, column: int) -> tuple[int, int]:
    """Width and height of a tile."""
    width, height = (-(-size // step) for size in image.size)
    return min(SIDE, width - column * SIDE), min(SIDE, height - row * SIDE)


def _read(image: RegionReader, step: int, row: int, column: int) -> Picture:
    """A tile from the coarsest level of the file that is fine enough."""
    level = best_level(image, step)
    scale = step / image.downsamples[level]
    whole = level_size(image, level)
    size = _size(image, step, row, column)
    start = [
        min(round(at * SIDE * scale), most - 1)
        for at, most in zip((column, row), whole, strict=True)
    ]
    span = [
        max(1, min(round(length * scale), most - first))
        for length, most, first in zip(size, whole, start, strict=True)
    ]
    pixels = image.read(level, *start, *span)
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _jpeg(tile: Picture) -> bytes:
    encoded: Picture = cv2.imencode(".jpg", cv2.cvtColor(tile, cv2.COLOR_RGB2BGR), QUALITY)[1]
    return encoded.tobytes()


class _Pyramid:
    """Writes tiles, the finest first.

    Args:
        image: where they come from.
        levels: the finest first.
        picture: of the whole slide, and its px per full-resolution px: shown where a coarse tile
          has no finer one.
        folder: where they go.
    """

    def __init__(
        self,
        image: RegionReader,
        levels: list[Level],
        picture: tuple[Picture, float],
        folder: Path,
    ) -> None:
        self.image = image
        self.levels = levels
        self.picture, self.scale = picture
        self.folder = folder

    def rows(self, depth: int, bar: Any) -> Iterator[dict[int, Picture]]:
        """Write a level row by row, and whatever it is made of before.

        Yields:
            The tiles of a row at half their size, by column.
        """
        level = self.levels[depth]
        step = level.step
        (self.folder / str(step)).mkdir()
        finer = self.rows(depth - 1, bar) if depth else iter(())
        for row, columns in enumerate(level.held):
            pair = [next(finer, {}), next(finer, {})]
            halves = {}
            for column in map(int, np.flatnonzero(columns)):
                tile = (
                    self._joined(pair, step, row, column)
                    if depth
                    else _read(self.image, step, row, column)
                )
                path = self.folder / str(step) / f"{column}_{row}.jpg"
                path.write_bytes(_jpeg(tile))
                halves[column] = _half(tile)
                bar.update(0 if depth else 1)
            yield halves

    def _joined(self, pair: list[dict[int, Picture]], step: int, row: int, column: int) -> Picture:
        """A tile from the four of the finer level, at half their size."""
        tile = self._from_picture(step, row, column)
        for down, halves in enumerate(pair):
            for right in range(2):
                half = halves.get(2 * column + right)
                if half is not None:
                    top, left = down * SIDE // 2, right * SIDE // 2
                    tile[top : top + half.shape[0], left : left + half.shape[1]] = half
        return tile

    def _from_picture(self, step: int, row: int, column: int) -> Picture:
        size = _size(self.image, step, row, column)
        first = np.array([column, row]) * SIDE * step * self.scale
        last = first + np.array(size) * step * self.scale
        left, top = np.minimum(first.astype(int), np.array(self.picture.shape[1::-1]) - 1)
        right, bottom = np.ceil(last).astype(int)
        part = self.picture[top:bottom, left:right]
        return np.asarray(cv2.resize(part, size, interpolation=cv2.INTER_LINEAR), dtype=np.uint8)


def _half(tile: Picture) -> Picture:
    height, width = (-(-side // 2) for side in tile.shape[:2])
    return np.asarray(cv2.resize(tile, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
