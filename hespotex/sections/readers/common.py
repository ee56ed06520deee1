"""What the readers share: files that must be there, tables, counts, and errors that name them."""

import gzip
import json
import logging
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import anndata as ad
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from hespotex.common.errors import InputError, cause, full_cause
from hespotex.common.hdf5 import read_anndata
from hespotex.sections.ids import plain_id, typed_ids
from hespotex.sections.readers.checks.counts import check_stored, whole

log = logging.getLogger(__name__)
Found = TypeVar("Found")
LARGEST = 2.0**31  # counts of one gene at one spot, at most


def existing_folder(path: Path, config_key: str) -> Path:
    """`path` if it is a folder with something in it.

    Raises:
        InputError: naming the folder and the config key that sets it.
    """
    if not path.is_dir():
        raise InputError(f"folder not found: {path}; set {config_key}=PATH")
    if not any(path.iterdir()):
        raise InputError(f"folder is empty: {path}; set {config_key}=PATH")
    return path


def only(folder: Path, suffixes: tuple[str, ...]) -> Path:
    """The one file with one of these endings in `folder`."""
    files = sorted(
        p
        for p in existing_folder(folder, "data.reader.root").iterdir()
        if p.suffix.lower() in suffixes
    )
    if len(files) != 1:
        raise InputError(
            f"expected one image ({', '.join(suffixes)}) in {folder}, found {len(files)}:"
            f" {[p.name for p in files]}"
        )
    return files[0]


def chosen(available: dict[str, Found], sections: Any, folder: Path | str) -> dict[str, Found]:
    """Of the sections found, those that `data.reader.sections` asks for."""
    if sections is None:
        return available
    ids = set(typed_ids(sections, list(available)))
    if absent := sorted(ids - set(available)):
        raise InputError(
            f"data.reader.sections names {absent}, but {folder} holds {sorted(available)[:20]}"
        )
    if not ids:
        raise InputError("data.reader.sections=[] chooses no section; null takes all of them")
    return {name: value for name, value in available.items() if name in ids}


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object, gzipped or not, with or without a byte order mark."""
    if not path.is_file():
        raise InputError(f"JSON file not found: {path}")
    try:
        raw = path.read_bytes()
        value = json.loads(
            (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode("utf-8-sig")
        )
    except (ValueError, OSError, EOFError, RecursionError, zlib.error) as error:
        raise InputError(f"{path}: not valid JSON ({error})") from error
    if not isinstance(value, dict):
        raise InputError(f"{path}: expected a JSON object, found {type(value).__name__}")
    return value


def read_table(path: Path, sep: str | None = "\t", **kwargs: Any) -> pd.DataFrame:
    """A table, tab-separated by default, gzipped or not, with or without a byte order mark."""
    if not path.is_file():
        raise InputError(f"table not found: {path}")
    try:
        table: pd.DataFrame = pd.read_csv(path, sep=sep, encoding="utf-8-sig", **kwargs)
    except Exception as error:  # gzip, unicode and parser errors all mean the same here
        raise InputError(f"{path}: cannot be read as a table ({full_cause(error)})") from error
    if not table.shape[1] or not len(table):
        raise InputError(f"{path}: the table is empty; is the file whole?")
    return table


def read_parquet(path: Path) -> pd.DataFrame:
    """A table of a Parquet file."""
    try:
        return pd.read_parquet(path)
    except Exception as error:  # pyarrow raises many kinds for a broken file
        raise InputError(
            f"{path}: cannot be read as Parquet ({cause(error)}); is the file whole?"
        ) from error


def numbers_of(table: pd.DataFrame, column: Any, where: str) -> NDArray[np.float64]:
    """A column as numbers (n,); blank cells are NaN.

    Raises:
        InputError: cells that are no numbers, such as "12,5" or "3 um".
    """
    if table[column].dtype.kind in "iuf":
        return np.asarray(table[column], dtype=np.float64)
    cells = [
        value if isinstance(value, float | int) else plain_id(value) for value in table[column]
    ]
    blank = [cell == "" for cell in cells]
    numbers = pd.to_numeric(pd.Series(cells, dtype=object), errors="coerce").to_numpy(np.float64)
    wrong = [cell for cell, number, empty in zip(cells, numbers, blank, strict=True)
             if number != number and not empty and cell == cell]  # fmt: skip
    if wrong:
        raise InputError(
            f"{where}: {len(wrong)} cells of column {column} are no numbers, such as {wrong[0]!r}; "
            "write numbers with a point, such as 12.5"
        )
    return numbers


def read_h5ad(path: Path, layer: str | None = None) -> ad.AnnData:
    """An AnnData file that holds spot positions, its sparse matrices checked."""
    if not path.is_file():
        raise InputError(f"h5ad not found: {path}")
    try:
        check_stored(path, ["X", "raw/X", "raw.X", *([f"layers/{layer}"] if layer else [])])
        adata = read_anndata(path)
    except InputError:
        raise
    except Exception as error:  # h5py and anndata raise many kinds for a broken file
        raise InputError(
            f"{path}: cannot be read as h5ad ({full_cause(error)}); is the file whole?"
        ) from error
    if "spatial" not in adata.obsm:
        raise InputError(
            f'{path}: expected spot centres (px, x then y) in obsm["spatial"], found obsm keys'
            f' {list(adata.obsm)}; write them with adata.obsm["spatial"] = xy'
        )
    return adata


def check_counts(section_id: str, counts: sparse.csr_matrix, barcodes: Sequence[str]) -> None:
    """Refuse whatever is no matrix of raw counts (n_spots, n_genes), one row a barcode.

    Raises:
        InputError: no spots or no genes, negative, broken or non-integer values, or barcodes named
          twice.
    """
    if 0 in counts.shape:
        raise InputError(
            f"{section_id}: the count matrix is empty: {counts.shape[0]} spots x {counts.shape[1]}"
            " genes"
        )
    broken = ~whole(counts.data)
    if broken.any():
        raise InputError(
            f"{section_id}: expected raw counts, found {broken.sum()} values that are negative or"
            f" not whole, such as {counts.data[broken][0]:g}; were they normalised? Give the raw"
            " matrix (of an h5ad in a layer or .raw: data.reader.layer=NAME)"
        )
    if counts.nnz and counts.data.max() > LARGEST:
        raise InputError(
            f"{section_id}: a count of {counts.data.max():g} is beyond reason (at most"
            f" {LARGEST:g}); is the file whole?"
        )
    if len(set(barcodes)) < len(barcodes):
        twice = pd.Index(barcodes)[pd.Index(barcodes).duplicated()].unique()
        raise InputError(
            f"{section_id}: {len(twice)} barcodes occur more than once, such as {list(twice[:3])}"
        )


def rows_with_places(
    section_id: str, names: Sequence[str], places: pd.Index, kind: str, lacks: str
) -> NDArray[np.int64]:
    """Rows of the counts whose name has a place; the log says how many have none.

    Args:
        section_id: for messages.
        names: of the rows of the counts.
        places: names that have one.
        kind: what a row is, such as "cell".
        lacks: what none of them does where the two do not fit, such as "has a place in FILE".

    Raises:
        InputError: none has a place, or there are no places at all.
    """
    if not len(places):
        raise InputError(f"{section_id}: no {kind} {lacks}: none is there; is the file whole?")
    rows = np.flatnonzero(pd.Index(names).isin(places))
    log_join(section_id, len(names), len(places), len(rows))
    if not len(rows):
        raise InputError(
            f"{section_id}: no {kind} with counts ({list(names[:2])}) {lacks} ({list(places[:2])}):"
            " are they of one run?"
        )
    return rows


def log_join(section_id: str, n_counts: int, n_spots: int, n_shared: int) -> None:
    """Say how many spots a join has lost."""
    if n_shared < max(n_counts, n_spots):
        log.info(
            "%s: %d spots with counts, %d with a position, %d with both",
            section_id,
            n_counts,
            n_spots,
            n_shared,
        )
