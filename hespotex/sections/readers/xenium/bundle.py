"""The files of a Xenium bundle: cells, their counts, and single transcripts."""

import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from numpy.typing import NDArray
from scipy import sparse

from hespotex.common.errors import InputError, full_cause
from hespotex.sections.ids import check_unique, plain_id
from hespotex.sections.readers.checks.frame import as_number
from hespotex.sections.readers.common import (
    check_counts,
    numbers_of,
    read_json,
    read_parquet,
    read_table,
    rows_with_places,
)
from hespotex.sections.readers.spaceranger.find import find_file
from hespotex.sections.readers.spaceranger.matrix import read_matrix
from hespotex.sections.section import check_positions

log = logging.getLogger(__name__)
EXPERIMENT = "experiment.xenium"
MATRIX = "cell_feature_matrix"
SMALLEST_UM = 0.01  # um per px of the morphology image; it is 0.2125
LARGEST_UM = 10.0
AT_ONCE = 2_000_000  # transcripts
Floats = NDArray[np.float64]


def pixel_um(bundle: Path) -> float:
    """um per px of the morphology image.

    Raises:
        InputError: no experiment file, or one that does not tell.
    """
    path = bundle / EXPERIMENT
    size_um = as_number(read_json(path).get("pixel_size"))
    if size_um is None or not SMALLEST_UM <= size_um <= LARGEST_UM:
        raise InputError(f"{path}: pixel_size is {size_um}, expected um per px, such as 0.2125")
    return size_um


def matrix_of(bundle: Path) -> Path:
    """`cell_feature_matrix.h5`, or the folder of that name.

    Raises:
        InputError: there is neither.
    """
    match = find_file(bundle, f"{MATRIX}.h5", MATRIX)
    if match is None:
        here = sorted(path.name for path in bundle.iterdir())[:20]
        raise InputError(
            f"no {MATRIX}.h5 or {MATRIX}/ in {bundle}, found {here}; the zarr.zip and tar.gz of the"
            " same name are not read: unpack the tar.gz, or copy the h5"
        )
    return match


def read_cells(
    section_id: str, bundle: Path
) -> tuple[sparse.csr_matrix, list[str], list[str], Floats]:
    """Counts (n_cells, n_genes), names of cells and genes, and centroids (n_cells, 2) in um.

    Raises:
        InputError: no such files, broken ones, or no cell in both.
    """
    counts, barcodes, genes = read_matrix(matrix_of(bundle))
    names = [plain_id(name) for name in barcodes]
    check_counts(section_id, counts, names)
    path = table_file(bundle, "cells")
    places = _places(path)
    rows = rows_with_places(section_id, names, places.index, "cell", f"has a place in {path}")
    cells = [names[row] for row in rows]
    pos = places.loc[cells].to_numpy(np.float64)
    check_positions(section_id, pos)
    return counts[rows], cells, genes, pos


def _places(path: Path) -> pd.DataFrame:
    """Centroids in um, by the name of the cell; ids are text, bytes or numbers, as of version."""
    table = _table(path)
    columns = ["cell_id", "x_centroid", "y_centroid"]
    if absent := sorted(set(columns) - set(table)):
        header = [str(name) for name in table][:20]
        raise InputError(f"{path}: columns missing: {absent}; found {header}")
    names = [plain_id(value) for value in table["cell_id"]]
    check_unique(names, f"cells of {path}", "leave one line for each cell")
    places = {name: numbers_of(table, name, str(path)) for name in columns[1:]}
    return pd.DataFrame(places, index=pd.Index(names))


def transcripts(bundle: Path, min_quality: float) -> Iterator[tuple[pd.Series, Floats]]:
    """Some at a time: the gene of each transcript, and its place (n, 2) in um.

    Args:
        bundle: its folder.
        min_quality: transcripts of a lower Phred score are left out.

    Raises:
        InputError: no such file, or a broken one.
    """
    path = table_file(bundle, "transcripts")
    columns = ["feature_name", "x_location", "y_location", "qv"]
    try:
        for table in _parts(path, columns):
            good = table[table["qv"] >= min_quality]
            names = good["feature_name"]
            if len(names) and isinstance(names.iloc[0], bytes):
                names = names.str.decode("utf-8")
            yield names, good[columns[1:3]].to_numpy(np.float64)
    except InputError:
        raise
    except Exception as error:  # pyarrow, gzip and pandas raise many kinds for a broken file
        raise InputError(
            f"{path}: cannot be read as transcripts with the columns {columns}"
            f" ({full_cause(error)}); is the file whole?"
        ) from error


def _parts(path: Path, columns: list[str]) -> Iterator[pd.DataFrame]:
    if path.suffix != ".parquet":
        yield from pd.read_csv(path, usecols=columns, chunksize=AT_ONCE)
        return
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(AT_ONCE, columns=columns):
            yield batch.to_pandas()


def table_file(bundle: Path, name: str) -> Path:
    """`name.parquet`, `name.csv` or `name.csv.gz`.

    Args:
        bundle: its folder.
        name: cells or transcripts.

    Raises:
        InputError: there is none.
    """
    match = find_file(bundle, f"{name}.parquet", f"{name}.csv")
    if match is None:
        here = sorted(path.name for path in bundle.iterdir())[:20]
        way_out = "; or set data.reader.counts=cells" if name == "transcripts" else ""
        raise InputError(f"no {name}.parquet or {name}.csv.gz in {bundle}, found {here}{way_out}")
    return match


def _table(path: Path) -> pd.DataFrame:
    return read_parquet(path) if path.suffix == ".parquet" else read_table(path, sep=",")
