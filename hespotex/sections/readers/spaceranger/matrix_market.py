"""Counts in Matrix Market files. SciPy's own reader ends the process on a torn line."""

import gzip
from pathlib import Path
from typing import IO

import numpy as np
import pandas as pd
from scipy import sparse

from hespotex.common.errors import InputError

TORN = "is the file whole?"


def read_matrix_market(path: Path) -> sparse.coo_matrix:
    """The matrix of a `coordinate` file, gzipped or not.

    Raises:
        InputError: another kind of file, lines that are no entries, or places outside the matrix.
        OSError, EOFError, UnicodeDecodeError: a file that cannot be read as text.
    """
    with _opened(path) as file:
        shape, n_entries = _head(path, file)
        try:
            table = pd.read_csv(
                file, sep=r"\s+", header=None, names=["row", "column", "value"], index_col=False,
                dtype={"row": np.int64, "column": np.int64, "value": np.float64}, comment="%",
                float_precision="round_trip",
            )  # fmt: skip
        except pd.errors.EmptyDataError:
            table = pd.DataFrame({"row": [], "column": [], "value": []})
    if len(table) != n_entries:
        raise InputError(f"{path}: {len(table)} entries, expected {n_entries}; {TORN}")
    places = table[["row", "column"]].to_numpy(np.int64) - 1
    if len(places) and ((places < 0) | (places >= shape)).any():
        raise InputError(f"{path}: places outside the matrix of {shape[0]} x {shape[1]}; {TORN}")
    values = table["value"].to_numpy(np.float64)
    return sparse.coo_matrix((values, (places[:, 0], places[:, 1])), shape=shape)


def _opened(path: Path) -> IO[str]:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8")
    return path.open(encoding="utf-8")


def _head(path: Path, file: IO[str]) -> tuple[tuple[int, int], int]:
    """Rows and columns, and the number of entries; the file stands behind them."""
    banner = file.readline().lower().split()
    kinds = {"real", "integer", "double"}
    if (
        banner[:3] != ["%%matrixmarket", "matrix", "coordinate"]
        or set(banner[3:4]) - kinds
        or banner[4:5] != ["general"]
    ):
        raise InputError(
            f"{path}: expected %%MatrixMarket matrix coordinate integer general, found"
            f" {' '.join(banner)[:80]!r}"
        )
    line = file.readline()
    while line.startswith("%") or (line and not line.strip()):
        line = file.readline()
    numbers = line.split()
    if len(numbers) != 3 or not all(number.isdecimal() for number in numbers):
        raise InputError(
            f"{path}: expected rows, columns and entries, found {line.strip()[:80]!r}; {TORN}"
        )
    rows, columns, entries = map(int, numbers)
    if max(rows, columns, entries) > 2**40:
        raise InputError(
            f"{path}: {line.strip()[:80]} rows, columns and entries are beyond reason; {TORN}"
        )
    return (rows, columns), entries
