"""Cells of Visium HD, as Space Ranger 4 segments them: `outs/segmented_outputs/`."""

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import shapely
import shapely.geometry
from numpy.typing import NDArray

from hespotex.common.errors import InputError
from hespotex.sections.ids import check_unique, plain_id
from hespotex.sections.readers.common import check_counts, read_json, read_parquet, rows_with_places
from hespotex.sections.readers.spaceranger.files import Spots, read_positions
from hespotex.sections.readers.spaceranger.find import files_of, find_file
from hespotex.sections.readers.spaceranger.matrix import read_matrix
from hespotex.sections.section import check_positions

log = logging.getLogger(__name__)
FOLDER = "segmented_outputs"
MATRIX = "filtered_feature_cell_matrix"
OUTLINES = "cell_segmentations.geojson"
MAPPING = "barcode_mappings.parquet"  # squares of 2 um, and the cell that each lies in
POSITIONS = ("tissue_positions.parquet", "tissue_positions.csv")
SQUARES_UM = (2, 8, 16)
BINS = "data.reader.unit=bins"


def cells_matrix(section_id: str, folder: Path) -> Path:
    """The counts of `segmented_outputs/`."""
    return _needed(section_id, folder, f"{MATRIX}.h5", MATRIX)


def cells_files(section_id: str, folder: Path) -> list[Path]:
    """All that counts, places and pixel size of cells may be read from."""
    outs = folder.parent
    squares = [outs / "binned_outputs" / f"square_{side:03d}um" for side in SQUARES_UM]
    files = [find_file(folder, OUTLINES), find_file(outs, MAPPING), find_file(folder, MAPPING)]
    files += [find_file(one, *POSITIONS) for one in squares]
    matrix = files_of(cells_matrix(section_id, folder))
    return [*matrix, *(path for path in files if path)]


def read_cells(section_id: str, folder: Path) -> Spots:
    """Cells that have counts and a place: the centroid of the outline, or, where there are no
    outlines, the middle of the cell's squares.

    Raises:
        InputError: no such files, broken ones, or no cell in both.
    """
    counts, names, genes = read_matrix(cells_matrix(section_id, folder))
    check_counts(section_id, counts, names)
    path, places = _places_in(section_id, folder)
    rows = rows_with_places(section_id, names, places.index, "cell", f"has a place in {path}")
    cells = [names[row] for row in rows]
    pos = places.loc[cells].to_numpy(np.float64)
    check_positions(section_id, pos)
    return Spots(cells, genes, counts[rows], pos, None)


def _places_in(section_id: str, folder: Path) -> tuple[Path, pd.DataFrame]:
    """The file that tells where the cells are, and their places."""
    outlines = find_file(folder, OUTLINES)
    mapping = find_file(folder.parent, MAPPING) or find_file(folder, MAPPING)
    if outlines is None and mapping is not None:
        log.warning("%s: no %s in %s: cells lie in the middle of their squares",
                    section_id, OUTLINES, folder)  # fmt: skip
        return mapping, _middles(section_id, mapping, folder.parent)
    if outlines is None:
        raise InputError(
            f"{section_id}: nothing tells where the cells are: neither {OUTLINES} in {folder} nor"
            f" {MAPPING} in {folder.parent}; copy one of them, or read the bins with {BINS}"
        )
    return outlines, _places(outlines)


def _middles(section_id: str, mapping: Path, outs: Path) -> pd.DataFrame:
    """The middle (n, 2) of the squares of each cell, in full-resolution px, by the cell's name."""
    table = read_parquet(mapping)
    table.columns = pd.Index([str(name).lower() for name in table])
    side, positions = _squares(section_id, outs)
    columns = [f"square_{side:03d}um", "cell_id", "in_cell"]
    if absent := sorted(set(columns) - set(table)):
        raise InputError(f"{mapping}: columns missing: {absent}; found {list(table)[:20]}")
    table = table[table["in_cell"].astype(bool)]
    squares = [plain_id(name).removesuffix("-1") for name in table[columns[0]]]
    rows = positions.index.get_indexer(pd.Index(squares))
    xy = positions.to_numpy(np.float64)[rows[rows >= 0]]
    cells = [f"{plain_id(name).removesuffix('-1')}-1" for name in table["cell_id"][rows >= 0]]
    return pd.DataFrame(xy).groupby(np.array(cells, dtype=object)).mean()


def _squares(section_id: str, outs: Path) -> tuple[int, pd.DataFrame]:
    """The smallest squares whose positions were kept, in um, and their centres (n, 2) by name."""
    for side in SQUARES_UM:
        binned = outs / "binned_outputs" / f"square_{side:03d}um"
        if file := find_file(binned, *POSITIONS):
            table = read_positions(file)[["pxl_col_in_fullres", "pxl_row_in_fullres"]]
            return side, table.set_axis([name.removesuffix("-1") for name in table.index])
    raise InputError(
        f"{section_id}: neither {OUTLINES} nor binned_outputs/ in {outs} tells where the cells are;"
        " copy one of them"
    )


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
    cell = plain_id(properties.get("cell_id")) if isinstance(properties, dict) else ""
    if not cell:
        raise InputError(f"{path}: feature {number} has no cell_id among its properties")
    return f"cellid_{int(cell):09d}-1" if cell.isdecimal() else cell


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
    match = find_file(folder, *names)
    if match is None:
        here = sorted(path.name for path in folder.iterdir())[:20]
        raise InputError(
            f"{section_id}: no {' or '.join(names)} in {folder}, found {here}; copy the whole"
            f" folder, or read the bins with {BINS}"
        )
    return match
