"""Cells of Visium HD, as Space Ranger 4 segments them: `outs/segmented_outputs/`."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import shapely
import shapely.geometry
from numpy.typing import NDArray

from hespotex.common.errors import InputError
from hespotex.sections.ids import check_unique, plain_id
from hespotex.sections.readers.common import check_counts, log_join, read_json
from hespotex.sections.readers.spaceranger.files import Spots
from hespotex.sections.readers.spaceranger.find import find_file
from hespotex.sections.readers.spaceranger.matrix import read_matrix
from hespotex.sections.section import check_positions

FOLDER = "segmented_outputs"
MATRIX = "filtered_feature_cell_matrix"
OUTLINES = "cell_segmentations.geojson"


def cells_matrix(section_id: str, folder: Path) -> Path:
    """The counts of `segmented_outputs/`."""
    return _needed(section_id, folder, f"{MATRIX}.h5", MATRIX)


def read_cells(section_id: str, folder: Path) -> Spots:
    """Cells that have counts and an outline; their place is the outline's centroid.

    Raises:
        InputError: no such files, broken ones, or no cell in both.
    """
    counts, names, genes = read_matrix(cells_matrix(section_id, folder))
    check_counts(section_id, counts, names)
    path = _needed(section_id, folder, OUTLINES)
    places = _places(path)
    rows = np.flatnonzero(pd.Index(names).isin(places.index))
    log_join(section_id, len(names), len(places), len(rows))
    if not len(rows):
        raise InputError(
            f"{section_id}: no cell with counts ({names[:2]}) has an outline in {path}"
            f" ({list(places.index[:2])}): are they of one run?"
        )
    kept = [names[row] for row in rows]
    pos = places.loc[kept].to_numpy(np.float64)
    check_positions(section_id, pos)
    return Spots(kept, genes, counts[rows], pos, None)


def _places(path: Path) -> pd.DataFrame:
    """Centroids (n, 2) in full-resolution px, by the name that the cell has in the matrix."""
    features = read_json(path).get("features")
    if not isinstance(features, list) or not all(isinstance(one, dict) for one in features):
        raise InputError(f"{path}: expected a GeoJSON FeatureCollection of cells")
    names = [_name(feature, number, path) for number, feature in enumerate(features)]
    check_unique(names, f"cells of {path}", "each cell needs an outline of its own")
    shapes = [_shape(feature, number, path) for number, feature in enumerate(features)]
    return pd.DataFrame(_centroids(shapes), index=pd.Index(names, dtype=object))


def _centroids(shapes: list[Any]) -> NDArray[np.float64]:
    centre = shapely.centroid(np.array(shapes, dtype=object))
    return np.stack([shapely.get_x(centre), shapely.get_y(centre)], axis=1)


def _name(feature: dict[str, Any], number: int, path: Path) -> str:
    """`cellid_000000001-1`, of the number or of the name that the outline has."""
    properties = feature.get("properties")
    told = plain_id(properties.get("cell_id")) if isinstance(properties, dict) else ""
    if not told:
        raise InputError(f"{path}: feature {number} has no cell_id among its properties")
    return f"cellid_{int(told):09d}-1" if told.isdecimal() else told


def _shape(feature: dict[str, Any], number: int, path: Path) -> Any:
    try:
        shape = shapely.geometry.shape(feature["geometry"])
        if not shape.is_empty:
            return shape
        reason = "it is empty"
    except Exception as error:  # broken coordinates raise almost anything
        reason = str(error)
    raise InputError(f"{path}: feature {number} has no outline that can be read ({reason})")


def _needed(section_id: str, folder: Path, *names: str) -> Path:
    found = find_file(folder, *names)
    if found is None:
        here = sorted(path.name for path in folder.iterdir())[:20]
        raise InputError(
            f"{section_id}: no {' or '.join(names)} in {folder}, found {here}; copy the whole"
            " folder, or read the bins with data.reader.unit=bins"
        )
    return found
