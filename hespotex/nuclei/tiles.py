"""Tiles around the spots, on a pixel grid that is the same however the image is tiled."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hespotex.histology.nuclei import NEAR, shrink
from hespotex.nuclei.table import Floats
from hespotex.sections.images import RegionReader
from hespotex.sections.images.region import best_level, level_size, read_padded

ALIGN = 8  # working px; tiles begin and end at multiples
Box = NDArray[np.int64]  # left, top, right, bottom


@dataclass(frozen=True)
class WorkingGrid:
    """The pixels at which a detector looks: those of a pyramid level, reduced.

    The reduction is a whole number of eighths, so 8 working px are a whole number of level px, and
    tiles that begin at a multiple of 8 sample the level at the same places. `scale` is level-0 px
    and `mpp` um per working px; `size` width and height, rounded up to whole tiles' corners.
    """

    level: int
    eighths: int  # level px per 8 working px
    scale: float
    mpp: float
    size: tuple[int, int]

    def read(self, image: RegionReader, box: Box) -> NDArray[np.uint8]:
        """A box of working px (multiples of 8) as RGB (height, width, 3), mirrored beyond the
        image.
        """
        left, top, right, bottom = (int(edge) for edge in box * self.eighths // ALIGN)
        pixels = read_padded(image, self.level, left, top, right - left, bottom - top)
        return shrink(pixels, (int(box[2] - box[0]), int(box[3] - box[1])), self.eighths / ALIGN)


def working_grid(image: RegionReader, mpp: float, wanted_mpp: float) -> WorkingGrid:
    """The grid nearest to `wanted_mpp` um per px of an image of `mpp`; an image much coarser is
    taken as it is.
    """
    level = best_level(image, wanted_mpp / mpp)
    downsample = image.downsamples[level]
    reduction = wanted_mpp / (mpp * downsample)
    eighths = ALIGN if reduction < NEAR else round(ALIGN * reduction)
    scale = downsample * eighths / ALIGN
    width, height = (-(-side // eighths) * ALIGN for side in level_size(image, level))
    return WorkingGrid(level, eighths, scale, mpp * scale, (width, height))


def boxes_around(grid: WorkingGrid, pos_px: Floats, around_um: float, tile_px: int) -> Box:
    """Boxes (n, 4) in working px, of which none overlap and which together hold the squares around
    all spots.

    Each is what squares of side `around_um` around `pos_px` (n_spots, 2; level-0 px) span of one
    tile of `tile_px`.
    """
    half = around_um / 2 / grid.mpp
    centre = pos_px / grid.scale
    low = np.maximum(np.floor((centre - half) / ALIGN) * ALIGN, 0).astype(np.int64)
    high = np.minimum(np.ceil((centre + half) / ALIGN) * ALIGN, grid.size).astype(np.int64)
    first = low // tile_px
    last = (high - 1) // tile_px
    columns, rows = (last - first).max(axis=0) + 1
    boxes = []
    for step in ((x, y) for x in range(columns) for y in range(rows)):
        tile = first + step
        touched = (tile <= last).all(axis=1)
        corner = tile[touched] * tile_px
        spans = np.maximum(low[touched], corner), np.minimum(high[touched], corner + tile_px)
        boxes.append(np.hstack([corner[:, ::-1], *spans]))
    table = pd.DataFrame(
        np.concatenate(boxes), columns=["row", "column", "left", "top", "right", "bottom"]
    )
    edges = {"left": "min", "top": "min", "right": "max", "bottom": "max"}
    return np.asarray(table.groupby(["row", "column"]).agg(edges).to_numpy(np.int64))
