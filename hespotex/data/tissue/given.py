"""Tissue that the user outlines: GeoJSON polygons or a picture of the mask."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from hespotex.data.tissue.mask import Mask, Ring, Tissue
from hespotex.errors import InputError

LONGEST_PX = 5000
SHAPE_TOLERANCE = 0.02  # a mask at a coarse pyramid level is rounded
GEOJSON = {".geojson", ".json"}
PICTURES = {".png", ".tif", ".tiff", ".jpg", ".jpeg", ".bmp"}


def read_tissue(path: Path, size: tuple[int, int]) -> Tissue:
    """A user's mask for a slide of `size` (width, height in full-resolution px).

    Args:
        path: GeoJSON with polygons in full-resolution px (as QuPath exports them), or a picture of any scale that covers
            the whole slide, in which all above 0 is tissue.

    Raises:
        InputError: no such file, nothing in it that is an area, or one of another shape or place than the slide.
    """
    if not path.is_file():
        raise InputError(f"mask not found: {path}; set tissue.mask=FILE (GeoJSON or a picture), or null to find the tissue")
    if path.suffix.lower() in GEOJSON:
        scale = min(1.0, LONGEST_PX / max(size))
        mask = _fill(_polygons(path), size, scale)
    else:
        mask = _picture(path, size)
        scale = mask.shape[1] / size[0]
    if not mask.any():
        raise InputError(f"{path}: marks no tissue inside the slide of {size[0]} x {size[1]} px; is it of this slide?")
    return Tissue(mask, scale, path.name)


def mask_file(mask: Path, slide: str) -> Path:
    """The file itself, or that of a folder which is named after the slide.

    Raises:
        InputError: the folder has none for this slide, or several.
    """
    if not mask.is_dir():
        return mask
    found = [path for path in sorted(mask.glob("*")) if path.stem == slide and path.suffix.lower() in GEOJSON | PICTURES]
    if len(found) != 1:
        raise InputError(
            f"tissue.mask={mask}: expected one file {slide}.geojson or {slide}.png for the slide {slide}, "
            f"found {[path.name for path in found]}"
        )
    return found[0]


def _picture(path: Path, size: tuple[int, int]) -> Mask:
    try:
        picture = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    except cv2.error as error:  # more px than OpenCV decodes
        raise InputError(f"{path}: cannot be read ({error.err}); save the mask at a lower power") from error
    if picture is None:
        raise InputError(f"{path}: cannot be read as a mask; expected GeoJSON (.geojson, .json) or a picture such as PNG")
    height, width = picture.shape[:2]
    if abs(width * size[1] / (height * size[0]) - 1) > SHAPE_TOLERANCE:
        raise InputError(
            f"{path}: the mask of {width} x {height} px has not the shape of the slide of {size[0]} x {size[1]} px"
        )
    shown = picture if picture.ndim == 2 else picture[..., :3].max(axis=2)
    shrink = min(1.0, LONGEST_PX / max(width, height))
    mask = cv2.resize((shown > 0).astype(np.uint8), None, fx=shrink, fy=shrink, interpolation=cv2.INTER_NEAREST)
    return np.asarray(mask).astype(bool)


def _fill(polygons: list[list[Ring]], size: tuple[int, int], scale: float) -> Mask:
    """Mask of polygons (border and holes, in full-resolution px) at a lower power."""
    mask = np.zeros((max(1, round(size[1] * scale)), max(1, round(size[0] * scale))), dtype=np.uint8)
    for rings in polygons:
        cv2.fillPoly(mask, [np.round(ring * scale - 0.5).astype(np.int32) for ring in rings], 1)  # even-odd: holes stay
    return mask.astype(bool)


def _polygons(path: Path) -> list[list[Ring]]:
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except ValueError as error:
        raise InputError(f"{path}: not valid JSON ({error})") from error
    polygons = list(_rings(content))
    if not polygons:
        raise InputError(f"{path}: expected GeoJSON with a Polygon or MultiPolygon, found none")
    try:
        return [[_points(ring) for ring in rings] for rings in polygons]
    except (ValueError, IndexError, TypeError) as error:
        raise InputError(f"{path}: a polygon whose coordinates are not lists of [x, y] ({error})") from error


def _points(ring: Any) -> Ring:
    points = np.asarray(ring, dtype=np.float64)[:, :2]
    if not np.isfinite(points).all():
        raise ValueError("not a number")
    return points


def _rings(node: Any) -> Iterator[Any]:
    """Coordinates of all polygons in a GeoJSON value; a list of features is what QuPath writes without a collection."""
    if isinstance(node, list):
        for entry in node:
            yield from _rings(entry)
    elif isinstance(node, dict):
        kind = node.get("type")
        if kind == "Polygon":
            yield node.get("coordinates")
        elif kind == "MultiPolygon":
            yield from node.get("coordinates") or []
        for key in ("features", "geometries", "geometry"):
            yield from _rings(node.get(key))
