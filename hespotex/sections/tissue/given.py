"""Tissue that the user outlines: GeoJSON polygons or a picture of the mask."""

import logging
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from hespotex.common.errors import InputError
from hespotex.sections.tissue.mask import Mask, Tissue
from hespotex.sections.tissue.outline import fill, read_areas
from hespotex.sections.tissue.picture import check_not_all, marked

log = logging.getLogger(__name__)
LONGEST_PX = 5000
SHAPE_TOLERANCE = 0.02  # a mask at a coarse pyramid level is rounded
GEOJSON = {".geojson", ".json"}
PICTURES = {".png", ".tif", ".tiff", ".jpg", ".jpeg", ".bmp"}


@dataclass(frozen=True)
class Frame:
    """The scanned area of a slide, from whose corner QuPath counts: `origin` (x, y) and `size`
    (width, height), in full-resolution px of the canvas. It is the canvas but for some scanners
    (Leica SCN, MIRAX).
    """

    origin: tuple[int, int]
    size: tuple[int, int]


def read_tissue(path: Path, size: tuple[int, int], frame: Frame | None = None) -> Tissue:
    """A user's mask for a slide of `size` (width, height in full-resolution px).

    Args:
        path: GeoJSON with polygons in full-resolution px as QuPath exports them, which counts from
          the corner of the scanned area; or a picture of any scale that covers the whole slide, or
          its scanned area (see `marked`).
        frame: the scanned area, where it is not the whole canvas.

    Raises:
        InputError: no such file, nothing in it that is an area, or one of another shape or place
          than the slide.
    """
    if not path.is_file():
        raise InputError(
            f"mask not found: {path}; set tissue.mask=FILE (GeoJSON or a picture), or null to find"
            " the tissue"
        )
    area = frame or Frame((0, 0), size)
    if path.suffix.lower() in GEOJSON:
        scale = min(1.0, LONGEST_PX / max(size))
        if area.origin != (0, 0):
            log.info(
                "%s: taken from the corner of the scanned area at %d, %d px, as QuPath counts",
                path,
                *area.origin,
            )
        mask = fill(read_areas(path), size, scale, area.origin, path)
    else:
        mask = _picture(path, size, area)
        scale = mask.shape[1] / size[0]
    if not mask.any():
        raise InputError(
            f"{path}: marks no tissue inside the slide of {size[0]} x {size[1]} px; is it of this"
            " slide?"
        )
    return Tissue(mask, scale, path.name)


def mask_file(mask: Path, slide: str) -> Path:
    """The file itself, or that of a folder which is named after the slide.

    Raises:
        InputError: the folder has none for this slide, or several.
    """
    if not mask.is_dir():
        return mask
    files = files_of(mask, slide, GEOJSON | PICTURES)
    if len(files) != 1:
        raise InputError(
            f"tissue.mask={mask}: expected one file {slide}.geojson or {slide}.png for the slide"
            f" {slide}, found {[path.name for path in files]}"
        )
    return files[0]


def files_of(folder: Path, slide: str, endings: set[str]) -> list[Path]:
    """Files of a folder that are named after the slide and end so."""
    return [
        path
        for path in sorted(folder.glob("*"))
        if path.stem == slide and path.suffix.lower() in endings
    ]


def _picture(path: Path, size: tuple[int, int], area: Frame) -> Mask:
    """A picture of the canvas, or of the scanned area, which is then put in its place; at most 5000
    px long.
    """
    mask = marked(path)
    on_canvas = _fits(mask, size)
    on_area = _fits(mask, area.size)
    height, width = mask.shape
    if not on_canvas and not on_area:
        raise InputError(
            f"{path}: the mask of {width} x {height} px has not the shape of the slide of {size[0]}"
            f" x {size[1]} px"
        )
    check_not_all(mask, path)
    if on_canvas and on_area and area.size != size:
        raise InputError(
            f"{path}: whether the mask covers the canvas of {size[0]} x {size[1]} px or the scanned"
            f" area of {area.size[0]} x {area.size[1]} px is not clear, as both have its shape;"
            " give GeoJSON instead"
        )
    if on_canvas:
        return _smaller(mask, min(1.0, LONGEST_PX / max(width, height)))
    return _placed(mask, size, area)


def _fits(mask: Mask, size: tuple[int, int]) -> bool:
    height, width = mask.shape
    return abs(width * size[1] / (height * size[0]) - 1) <= SHAPE_TOLERANCE


def _smaller(mask: Mask, shrink: float) -> Mask:
    return (
        np.asarray(
            cv2.resize(
                mask.astype(np.uint8), None, fx=shrink, fy=shrink, interpolation=cv2.INTER_NEAREST
            )
        )
        > 0
    )


def _placed(mask: Mask, size: tuple[int, int], area: Frame) -> Mask:
    """A mask of the scanned area on the canvas, at the mask's own scale."""
    scale = min(mask.shape[1] / area.size[0], LONGEST_PX / max(size))
    canvas = np.zeros((max(1, round(size[1] * scale)), max(1, round(size[0] * scale))), dtype=bool)
    left, top = (round(corner * scale) for corner in area.origin)
    width, height = (max(1, round(side * scale)) for side in area.size)
    resized = (
        cv2.resize(mask.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST) > 0
    )
    room = canvas[top : top + height, left : left + width]
    room[:] = resized[: room.shape[0], : room.shape[1]]
    return canvas
