"""Files that Space Ranger writes (versions 1 to 4): feature matrix and spot positions."""

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from hespotex.common.errors import InputError
from hespotex.common.hdf5 import open_hdf5
from hespotex.sections.ids import check_unique, plain_id
from hespotex.sections.readers.checks.counts import DAMAGED, checked_csr
from hespotex.sections.readers.checks.on_tissue import yes_or_no
from hespotex.sections.readers.common import check_counts, log_join, numbers_of, read_table
from hespotex.sections.readers.spaceranger.matrix_market import read_matrix_market
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
    (n_spots, 2), x then y.
    """

    barcodes: list[str]
    genes: list[str]
    counts: sparse.csr_matrix
    pos_px: NDArray[np.float64]
    array: NDArray[np.float64]


def find_file(outs: Path, *names: str) -> Path | None:
    """The file or folder of the first of these names in `outs/spatial/` or `outs/`; with or without
    `<sample>_` and .gz.
    """
    entries = [
        p
        for folder in (outs / "spatial", outs)
        if folder.is_dir()
        for p in sorted(folder.iterdir())
    ]
    for name in names:
        found = [
            p
            for p in entries
            if (plain := p.name.removesuffix(".gz")) == name or plain.endswith(f"_{name}")
        ]
        if len(found) > 1:
            raise InputError(
                f"several files could be {name} in {outs}: {[p.name for p in found]}; give each"
                " sample its folder"
            )
        if found:
            return found[0]
    return None


def need_file(outs: Path, *names: str) -> Path:
    """As `find_file`, but it must be there."""
    path = find_file(outs, *names)
    if path is None:
        here = sorted(p.name for p in outs.iterdir())[:20] if outs.is_dir() else "no such folder"
        raise InputError(
            f"no {' or '.join(names)} in {outs} or its spatial/; found {here}. Is data.reader.root"
            " right?"
        )
    return path


def read_spots(section_id: str, outs: Path) -> Spots:
    """Counts and positions of the spots under tissue, joined by barcode."""
    counts, barcodes, genes = _matrix(need_file(outs, f"{MATRIX}.h5", MATRIX))
    check_counts(section_id, counts, barcodes)
    positions = read_positions(
        need_file(
            outs, "tissue_positions.parquet", "tissue_positions.csv", "tissue_positions_list.csv"
        )
    )
    inside = positions[positions["in_tissue"]]
    rows = np.flatnonzero(pd.Index(barcodes).isin(inside.index))
    log_join(section_id, len(barcodes), len(inside), len(rows))
    if not len(rows):
        raise InputError(
            f"{section_id}: no barcode with counts ({barcodes[:2]}) is among the spots under tissue"
            f" ({list(inside.index[:2])}) in {outs}: are matrix and positions of one sample?"
        )
    kept = inside.loc[[barcodes[row] for row in rows]]
    pos = kept[["pxl_col_in_fullres", "pxl_row_in_fullres"]].to_numpy(float)
    check_positions(section_id, pos)
    return Spots(
        list(kept.index), genes, counts[rows], pos, kept[["array_col", "array_row"]].to_numpy(float)
    )


def read_positions(path: Path) -> pd.DataFrame:
    """All spots of the slide by barcode; the header, which came with version 2.0, is told by
    content.

    `in_tissue` comes as booleans, the other columns as numbers.

    Raises:
        InputError: no such table, or cells that are no numbers.
    """
    table = _parquet(path) if path.suffix == ".parquet" else _positions_of_text(path)
    if missing := set(COLUMNS) - set(table):
        found = [str(name) for name in table][:20]
        raise InputError(f"{path}: columns missing: {sorted(missing)}; found {found}")
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


def _parquet(path: Path) -> pd.DataFrame:
    try:
        return pd.read_parquet(path)
    except Exception as error:  # pyarrow raises many kinds for a broken file
        raise InputError(
            f"{path}: cannot be read as Parquet ({error}); is the file whole?"
        ) from error


def _matrix(path: Path) -> tuple[sparse.csr_matrix, list[str], list[str]]:
    """Gene counts (n_spots, n_genes), barcodes and gene names; antibodies and other features are
    left out.
    """
    try:
        counts, barcodes, features = _from_mtx(path) if path.is_dir() else _from_h5(path)
    except InputError:
        raise
    except Exception as error:  # h5py, gzip and SciPy raise many kinds for a broken file
        raise InputError(
            f"{path}: cannot be read as a Space Ranger matrix ({type(error).__name__}: {error}); is"
            " the file whole?"
        ) from error
    genes = np.flatnonzero(features["type"] == "Gene Expression")
    if not len(genes) and len(features):
        raise InputError(
            f"{path}: no feature of type Gene Expression, found {sorted(set(features['type']))}"
        )
    return counts[:, genes], barcodes, list(features["name"].iloc[genes])


def _from_h5(path: Path) -> tuple[sparse.csr_matrix, list[str], pd.DataFrame]:
    with open_hdf5(path) as file:
        group: Any = file["matrix"]
        n_genes, n_spots = (int(n) for n in group["shape"][:])
        parts = (group["data"][:], group["indices"][:], group["indptr"][:])
        barcodes, names, types = (
            [value.decode() for value in group[key][:]]
            for key in ("barcodes", "features/name", "features/feature_type")
        )
    counts = checked_csr(*parts, (n_spots, n_genes), f"{path}: matrix")  # stored by spot
    if len(barcodes) != n_spots or len(names) != n_genes or len(types) != n_genes:
        raise InputError(
            f"{path}: matrix of {n_spots} spots and {n_genes} features, but {len(barcodes)}"
            f" barcodes, {len(names)} names and {len(types)} types; is the file whole?"
        )
    return counts, barcodes, pd.DataFrame({"name": names, "type": types})


def _from_mtx(folder: Path) -> tuple[sparse.csr_matrix, list[str], pd.DataFrame]:
    text: dict[str, Any] = {
        "header": None,
        "dtype": str,
        "keep_default_na": False,
        "quoting": csv.QUOTE_NONE,
    }  # there is a gene family whose names look like NaN
    features = read_table(need_file(folder, "features.tsv"), **text)
    barcodes = list(read_table(need_file(folder, "barcodes.tsv"), **text)[0])
    stored = read_matrix_market(need_file(folder, "matrix.mtx"))
    counts = sparse.csr_matrix(stored.T)
    if counts.nnz != stored.nnz:
        raise InputError(f"{folder}: {stored.nnz - counts.nnz} places hold two values; {DAMAGED}")
    if counts.shape != (len(barcodes), len(features)):
        raise InputError(
            f"{folder}: matrix of {counts.shape}, but {len(barcodes)} barcodes and {len(features)}"
            " features"
        )
    return counts, barcodes, pd.DataFrame({"name": features[1], "type": features[2]})
