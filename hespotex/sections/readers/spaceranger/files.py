"""Spots that Space Ranger writes (versions 1 to 4): counts and positions."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from hespotex.common.errors import InputError
from hespotex.sections.ids import check_unique, plain_id
from hespotex.sections.names.genes import Genes
from hespotex.sections.readers.checks.on_tissue import yes_or_no
from hespotex.sections.readers.common import (
    check_counts,
    numbers_of,
    read_parquet,
    read_table,
    rows_with_places,
)
from hespotex.sections.readers.spaceranger.find import files_of, need_file
from hespotex.sections.readers.spaceranger.matrix import matrix_genes, read_matrix
from hespotex.sections.section import check_positions

COLUMNS = [
    "barcode",
    "in_tissue",
    "array_row",
    "array_col",
    "pxl_row_in_fullres",
    "pxl_col_in_fullres",
]
MATRIX = "filtered_feature_bc_matrix"


@dataclass(frozen=True)
class Spots:
    """Spots under tissue that have counts: `counts` (n_spots, n_genes), `pos_px` and `array`
    (n_spots, 2), x then y; cells have no place on the array.
    """

    barcodes: list[str]
    genes: list[str]
    counts: sparse.csr_matrix
    pos_px: NDArray[np.float64]
    array: NDArray[np.float64] | None


def read_spots(section_id: str, outs: Path) -> Spots:
    """Counts and positions of the spots under tissue, joined by barcode."""
    counts, barcodes, genes = read_matrix(need_file(outs, f"{MATRIX}.h5", MATRIX))
    check_counts(section_id, counts, barcodes)
    positions = read_positions(_positions_file(outs))
    inside = positions[positions["in_tissue"]]
    lacks = f"is among the spots under tissue in {outs}"
    rows = rows_with_places(section_id, barcodes, inside.index, "barcode", lacks)
    spots = inside.loc[[barcodes[row] for row in rows]]
    pos = spots[["pxl_col_in_fullres", "pxl_row_in_fullres"]].to_numpy(float)
    check_positions(section_id, pos)
    return Spots(
        list(spots.index),
        genes,
        counts[rows],
        pos,
        spots[["array_col", "array_row"]].to_numpy(float),
    )


def spots_files(outs: Path) -> list[Path]:
    """The files of `read_spots`."""
    return [*files_of(need_file(outs, f"{MATRIX}.h5", MATRIX)), _positions_file(outs)]


def _positions_file(outs: Path) -> Path:
    names = "tissue_positions.parquet", "tissue_positions.csv", "tissue_positions_list.csv"
    return need_file(outs, *names)


def spots_genes(outs: Path) -> Genes:
    """The genes of `read_spots` with their Ensembl ids."""
    return matrix_genes(need_file(outs, f"{MATRIX}.h5", MATRIX))


def read_positions(path: Path) -> pd.DataFrame:
    """All spots of the slide by barcode; the header, which came with version 2.0, is told by
    content.

    `in_tissue` comes as booleans, the other columns as numbers.

    Raises:
        InputError: no such table, or cells that are no numbers.
    """
    table = read_parquet(path) if path.suffix == ".parquet" else _positions_of_text(path)
    if absent := set(COLUMNS) - set(table):
        columns = [str(name) for name in table][:20]
        raise InputError(f"{path}: columns missing: {sorted(absent)}; found {columns}")
    numbers = {name: numbers_of(table, name, str(path)) for name in COLUMNS[2:]}
    inside = yes_or_no(table["in_tissue"], f"{path}: in_tissue", "put the column in_tissue right")
    names = pd.Index([plain_id(barcode) for barcode in table["barcode"]])
    check_unique(list(names), f"barcodes of {path}", "leave one line for each spot")
    return pd.DataFrame({"in_tissue": inside, **numbers}, index=names)


def _positions_of_text(path: Path) -> pd.DataFrame:
    table = read_table(path, sep=",", header=None, dtype=str, keep_default_na=False)
    first = [str(name).strip() for name in table.iloc[0]]
    if table.shape[1] == len(COLUMNS) and not set(COLUMNS) & set(first):
        table.columns = pd.Index(COLUMNS)
        return table
    return table[1:].set_axis(pd.Index(first), axis=1)
