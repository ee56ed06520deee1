"""Outlines in GeoJSON, as QuPath exports them: which areas are tissue, and which are cut out of
it.
"""

import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from hespotex.common.errors import InputError
from hespotex.common.user_table import read_user_text
from hespotex.sections.tissue.mask import Mask, Ring

log = logging.getLogger(__name__)
NOT_TISSUE = {
    "ignore",
    "background",
    "glass",
    "whitespace",
    "hole",
    "holes",
    "artefact",
    "artifact",
    "artefacts",
    "artifacts",
    "exclude",
}
FARTHEST = 100.0  # sides of the slide; coordinates beyond are of no slide


@dataclass(frozen=True)
class Area:
    """One polygon: its border first, then its holes, in full-resolution px.

    Attributes:
        rings: border and holes.
        class_name: class of its annotation, "" without one.
        name: of its annotation, "" without one.
        feature: number of its annotation in the file; those with several polygons share it.
    """

    rings: list[Ring]
    class_name: str = ""
    name: str = ""
    feature: int = 0

    @property
    def is_cut(self) -> bool:
        """Whether its class says that it is no tissue, as QuPath's `Ignore*`."""
        return self.class_name.strip().rstrip("*").strip().lower() in NOT_TISSUE


def read_areas(path: Path) -> list[Area]:
    """The polygons of a GeoJSON file that outline tissue or are cut out of it.

    Raises:
        InputError: no GeoJSON, or no polygon in it that is tissue.
    """
    areas = read_polygons(path, "tissue.mask")
    if all(area.is_cut for area in areas):
        names = sorted({area.class_name for area in areas})
        raise InputError(
            f"{path}: all its areas are of classes that are cut out of the tissue:"
            f" {', '.join(names)}"
        )
    if cut := sorted({area.class_name for area in areas if area.is_cut}):
        log.info("%s: areas of %s are cut out of the tissue", path, ", ".join(cut))
    return areas


def read_polygons(path: Path, key: str) -> list[Area]:
    """The polygons of a GeoJSON file, as QuPath exports them; only the annotations where there are
    any beside cells.

    Args:
        key: of the config, which has named the file.

    Raises:
        InputError: no GeoJSON, or no polygon in it.
    """
    try:
        content = json.loads(read_user_text(path, key))
    except (ValueError, RecursionError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path}: not valid JSON ({error})") from error
    try:
        areas = list(_areas(content, _Feature(), count()))
    except (ValueError, IndexError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(
            f"{path}: a polygon whose coordinates are not lists of [x, y] ({error})"
        ) from error
    if not areas:
        raise InputError(f"{path}: expected GeoJSON with a Polygon or MultiPolygon, found none")
    annotations = [area for kind, area in areas if kind not in ("detection", "cell", "tile")]
    return annotations or [area for _, area in areas]


def fill(
    areas: list[Area], size: tuple[int, int], scale: float, origin: tuple[int, int], path: Path
) -> Mask:
    """Mask at a lower power: the areas that are tissue, less those that are cut out.

    Args:
        size: of the slide, width and height in full-resolution px; scale: px of the mask per such
          px.
        origin: where the outlines' corner lies on the slide.
    """
    masks = [
        np.zeros((max(1, round(size[1] * scale)), max(1, round(size[0] * scale))), dtype=np.uint8)
        for _ in range(2)
    ]
    for area in areas:
        rings = [ring + np.asarray(origin) for ring in area.rings]
        check_near(rings, size, path)
        corners = [np.round(ring * scale - 0.5).astype(np.int32) for ring in rings]
        cv2.fillPoly(masks[area.is_cut], corners, 1)  # even-odd: holes stay
    return (masks[0] > 0) & (masks[1] == 0)


def check_near(rings: list[Ring], size: tuple[int, int], path: Path) -> None:
    """Refuse coordinates that are no px of a slide of this size."""
    farthest = max(float(np.abs(ring).max()) for ring in rings)
    if farthest > FARTHEST * max(size):
        raise InputError(
            f"{path}: coordinates up to {farthest:.3g}, the slide has {size[0]} x {size[1]} px;"
            " expected full-resolution px"
        )


@dataclass(frozen=True)
class _Feature:
    """What the features around a polygon say of it."""

    kind: str = ""
    class_name: str = ""
    name: str = ""
    number: int = 0

    def inside(self, node: dict[str, Any], numbers: Iterator[int]) -> "_Feature":
        """What a feature inside this one says, or what lies in a feature."""
        facts = node.get("properties") or {}
        return _Feature(
            str(facts.get("objectType") or self.kind),
            _class(facts) or self.class_name,
            str(facts.get("name") or self.name),
            next(numbers) if "geometry" in node else self.number,
        )


def _areas(node: Any, around: _Feature, numbers: Iterator[int]) -> Iterator[tuple[str, Area]]:
    """All polygons of a GeoJSON value with their object type; a list of features is what QuPath
    writes without a collection.
    """
    if isinstance(node, list):
        for entry in node:
            yield from _areas(entry, around, numbers)
    elif isinstance(node, dict):
        feature = around.inside(node, numbers)
        for rings in _polygons(node):
            points = [_points(ring) for ring in rings]
            yield feature.kind, Area(points, feature.class_name, feature.name, feature.number)
        for key in ("features", "geometries", "geometry"):
            yield from _areas(node.get(key), feature, numbers)


def _polygons(node: dict[str, Any]) -> list[Any]:
    if node.get("type") == "Polygon":
        return [node.get("coordinates")]
    return (node.get("coordinates") or []) if node.get("type") == "MultiPolygon" else []


def _class(facts: dict[str, Any]) -> str:
    value = facts.get("classification") or ""
    if isinstance(value, dict):
        value = value.get("name") or ": ".join(map(str, value.get("names") or []))
    return str(value)


def _points(ring: Any) -> Ring:
    points = np.asarray(ring, dtype=np.float64)[:, :2]
    if not np.isfinite(points).all():
        raise ValueError("not a number")
    return points
