"""Patches: squares of stated physical size around the spots of a section."""

from dataclasses import asdict, dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from hespotex.sections.images import RegionReader
from hespotex.sections.images.region import best_level, read_padded

Patches = NDArray[np.uint8]  # (n, px, px, 3) RGB


@dataclass(frozen=True)
class PatchSpec:
    """What an encoder asks for: a square of `um` micrometres, given as `px` x `px` pixels.

    `cut`: "padded" takes the square around the exact centre, mirrored beyond the border;
    "published" an even number of px around the rounded centre, cut off at the border and then
    stretched, as released.
    """

    um: float
    px: int
    cut: str = "padded"

    def to_dict(self) -> dict[str, Any]:
        """`um`, `px` and `cut`, as they enter the key of stored embeddings."""
        return asdict(self)

    @property
    def mpp(self) -> float:
        """Pixel size (um per px) of the patch as the encoder sees it."""
        return self.um / self.px


@dataclass(frozen=True)
class PatchSize:
    """The same square in three rulers: px wanted, px at the pyramid level read, px at level 0."""

    wanted_px: int
    level: int
    level_px: int
    level0_px: float


def patch_size(spec: PatchSpec, mpp: float, image: RegionReader) -> PatchSize:
    """Where and how large to read in an image of `mpp` um per level-0 px."""
    level0_px = spec.um / mpp
    level = best_level(image, level0_px / spec.px)
    return PatchSize(spec.px, level, max(1, round(level0_px / image.downsamples[level])), level0_px)


def cut_patch(image: RegionReader, size: PatchSize, x: float, y: float) -> NDArray[np.uint8]:
    """The patch centred on (x, y) level-0 px as RGB (px, px, 3); mirrored beyond the image
    border.
    """
    scale = image.downsamples[size.level]
    left = round(x / scale - size.level_px / 2)
    top = round(y / scale - size.level_px / 2)
    return resize(
        read_padded(image, size.level, left, top, size.level_px, size.level_px), size.wanted_px
    )


def published_box(
    x: float, y: float, diameter_px: float, size: tuple[int, int]
) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of the released patch: half the diameter, floored, around the
    integer centre.
    """
    half = int(diameter_px // 2)
    column = int(x)
    row = int(y)
    return (
        max(column - half, 0),
        max(row - half, 0),
        min(column + half, size[0]),
        min(row + half, size[1]),
    )


def published_patch(
    image: RegionReader, x: float, y: float, diameter_px: float, px: int
) -> NDArray[np.uint8]:
    """The patch as released, (px, px, 3)."""
    left, top, right, bottom = published_box(x, y, diameter_px, image.size)
    return resize(image.read(0, left, top, right - left, bottom - top), px)


def resize(patch: NDArray[np.uint8], px: int) -> NDArray[np.uint8]:
    """Square resize: area averaging when it shrinks, cubic when it grows."""
    if patch.shape[:2] == (px, px):
        return patch
    method = cv2.INTER_AREA if min(patch.shape[:2]) > px else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(patch, (px, px), interpolation=method), dtype=np.uint8)
