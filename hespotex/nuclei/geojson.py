"""GeoJSON of nuclei, as QuPath writes it and as HEST-1k zips it."""

import gzip
import json
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import shapely
import shapely.geometry

from hespotex.common.errors import InputError, cause
from hespotex.nuclei.files import FileNuclei
from hespotex.nuclei.outlines import outlines_table
from hespotex.nuclei.table import NucleiTable
from hespotex.sections.images import open_image
from hespotex.sections.section import Section

Feature = dict[str, Any]


class QupathNuclei(FileNuclei):
    """GeoJSON exported by QuPath: one nucleus per feature, and per point of a set of points.

    Cells give their nucleus, where they have one. The class is `properties.classification.name`.
    Coordinates are full-resolution px from the corner of the scanned area, which is how QuPath
    exports.
    """

    name = "qupath"
    patterns = ("ID.geojson", "ID.geojson.gz", "ID.geojson.zip", "ID.zip", "ID.json")

    def read(self, path: Path, section: Section) -> NucleiTable:
        """Nuclei in px of the canvas: the corner of the scanned area is added.

        Raises:
            InputError: not GeoJSON, or a feature without a readable geometry.
        """
        table = features_table(read_features(path), ("MultiPoint",), section.mpp, path)
        origin = open_image(section.image).origin if section.image else (0, 0)
        return table if origin == (0, 0) else table.moved(origin, 1.0)


def read_features(path: Path) -> list[Feature]:
    """The features of a GeoJSON file, gzipped, zipped or plain.

    Raises:
        InputError: no such thing.
    """
    try:
        value = json.loads(_content(path).decode("utf-8-sig"))
    except (OSError, EOFError, ValueError, zipfile.BadZipFile) as error:
        raise InputError(
            f"{path}: cannot be read as GeoJSON ({cause(error)}); is the file whole?"
        ) from error
    if isinstance(value, dict):
        value = value.get("features", [value])
    if isinstance(value, list) and all(
        isinstance(feature, dict) and "geometry" in feature for feature in value
    ):
        return value
    raise InputError(
        f"{path}: expected a GeoJSON FeatureCollection, or a list of features with a geometry each"
    )


def features_table(
    features: list[Feature], split: Sequence[str], mpp: float, path: Path
) -> NucleiTable:
    """Nuclei of features; those whose geometry is of a type in `split` hold one nucleus in each
    part.
    """
    shapes = []
    owner = []
    for number, feature in enumerate(features):
        shape = _shape(feature, number, path)
        pieces = list(shape.geoms) if shape.geom_type in split else [shape]
        shapes += pieces
        owner += [number] * len(pieces)
    kinds = [_kind(feature) for feature in features]
    return outlines_table(
        np.array(shapes, dtype=object), [kinds[number] for number in owner], mpp, path
    )


def _content(path: Path) -> bytes:
    if path.suffix == ".gz":
        return gzip.decompress(path.read_bytes())
    if path.suffix != ".zip":
        return path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        names = [
            n
            for n in archive.namelist()
            if n.endswith((".geojson", ".json")) and not n.startswith("__MACOSX")
        ]
        if len(names) != 1:
            raise InputError(
                f"{path}: expected one .geojson inside, found {archive.namelist()[:10]}"
            )
        return archive.read(names[0])


def _shape(feature: Feature, number: int, path: Path) -> Any:
    geometry = feature.get("nucleusGeometry") or feature["geometry"]
    if geometry is None:
        return shapely.Point()
    try:
        return shapely.geometry.shape(geometry)
    except Exception as error:  # shapely has its own, and broken coordinates raise almost anything
        raise InputError(
            f"{path}: feature {number} has no geometry that can be read ({error})"
        ) from error


def _kind(feature: Feature) -> str:
    value = (feature.get("properties") or {}).get("classification") or ""
    if isinstance(value, dict):
        value = value.get("name") or ": ".join(value.get("names") or [])
    return str(value)
