"""Regions of a slide that somebody has outlined and named, such as tumour and stroma."""

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from hespotex.common.errors import InputError
from hespotex.common.typed_paths import typed_path
from hespotex.sections.images import open_image
from hespotex.sections.tissue.given import GEOJSON, files_of
from hespotex.sections.tissue.outline import Area, check_near, read_polygons

log = logging.getLogger(__name__)
KEY = "regions"  # of the config


@dataclass(frozen=True)
class Region:
    """One annotation.

    Attributes:
        name: of its own on the slide.
        class_name: what kind of tissue it is; its name where it has no class.
        parts: its polygons, each its border first, then its holes, in full-resolution px (n, 2).
    """

    name: str
    class_name: str
    parts: list[list[NDArray[np.float64]]]

    def holds(self, pos_px: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Which positions (n_spots, 2), full-resolution px, lie inside."""
        x, y = np.asarray(pos_px, dtype=np.float64).T
        inside = np.zeros(len(x), dtype=bool)
        for border, *holes in self.parts:
            inside |= np.asarray(shapely.contains_xy(_whole(border, holes), x, y))
        return inside


def _whole(border: NDArray[np.float64], holes: list[NDArray[np.float64]]) -> Any:
    """The polygon, put right where its border crosses itself."""
    holes = [hole for hole in holes if len(hole) > 2]
    return shapely.make_valid(shapely.Polygon(border, holes))


def slide_regions(image: Path, regions: str | None, title: str | None = None) -> list[Region]:
    """The regions of a slide.

    Args:
        image: the slide's file.
        regions: GeoJSON in full-resolution px as QuPath exports it, which counts from the corner of
          the scanned area; or a folder with files named after the slides, where a slide without a
          file has no regions. None: there are none.
        title: what the slide's file in such a folder is called; None for the slide's own name.

    Raises:
        InputError: no such file, or nothing in it that is a region.
    """
    if not regions:
        return []
    path = typed_path(regions)
    name = title or image.stem
    files = files_of(path, name, GEOJSON) if path.is_dir() else [path]
    if not files:
        log.warning("%s: no regions: %s has no %s.geojson", name, path, name)
        return []
    if not files[0].is_file():
        raise InputError(f"regions not found: {path}; set {KEY}=FILE.geojson, a folder, or null")
    slide = open_image(image)
    return read_regions(files[0], slide.size, slide.origin)


def read_regions(
    path: Path, size: tuple[int, int], origin: tuple[int, int] = (0, 0)
) -> list[Region]:
    """The annotations of a file that have a name or a class; those of `Ignore*` and the like are
    none.

    Args:
        path: GeoJSON.
        size: of the slide, width and height in full-resolution px.
        origin: where the outlines' corner lies on the slide.

    Raises:
        InputError: none of them is a region, or coordinates that are no px of this slide.
    """
    areas = read_polygons(path, KEY)
    annotations = [area for area in areas if (area.name or area.class_name) and not area.is_cut]
    annotations = [area for area in annotations if area.rings and len(area.rings[0]) > 2]
    if not annotations:
        raise InputError(
            f"{path}: none of its {len(areas)} areas has a name or a class; name the annotations in"
            f" QuPath, or give them a class, and export them again ({KEY})"
        )
    for area in annotations:
        check_near(area.rings, size, path)
    features = [
        [area for area in annotations if area.feature == number]
        for number in dict.fromkeys(area.feature for area in annotations)
    ]
    shift = np.asarray(origin, dtype=np.float64)
    return [
        Region(
            name, _class(feature[0]), [[ring + shift for ring in area.rings] for area in feature]
        )
        for name, feature in zip(
            _names([feature[0] for feature in features]), features, strict=True
        )
    ]


def _class(area: Area) -> str:
    return area.class_name or area.name


def _names(areas: Sequence[Area]) -> list[str]:
    """A name of its own for each: that of the annotation, or of its class, numbered where several
    share it.
    """
    titles = [area.name or area.class_name for area in areas]
    several = {name for name, n in Counter(titles).items() if n > 1}
    counts: Counter[str] = Counter()
    names = []
    for name in titles:
        counts[name] += 1
        names.append(f"{name} {counts[name]}" if name in several else name)
    return names
