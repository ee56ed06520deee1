"""How far predicted pseudobulk agrees with bulk RNA of the same patients."""

import logging
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from hespotex.common.errors import InputError
from hespotex.common.user_table import BLANK, is_decimal_comma, parse_number, read_user_rows

log = logging.getLogger(__name__)
LEAST = 3  # pairs without which a correlation says nothing
# log2 of any count or TPM is smaller; a table with larger values is on the linear scale
LOGGED_BELOW = 30.0


def read_bulk(path: Path, patients: pd.Index, genes: pd.Index) -> tuple[pd.DataFrame, str]:
    """Bulk expression of the cohort's patients and genes, and what was done to its values.

    Args:
        path: CSV or TSV of genes x patients, or patients x genes: which of them is seen from the
          names.
        patients, genes: of the cohort; others are left out.

    Returns:
        (n_patients, n_genes), log1p of it where its values are on the linear scale, and that in
        words.

    Raises:
        InputError: no such file, values that are no numbers, or too few patients or no gene in
          common.
    """
    if not path.is_file():
        raise InputError(
            f"bulk table not found: {path}; give --bulk CSV with genes and patients as rows and"
            " columns"
        )
    rows, comma = read_user_rows(path, "--bulk")
    table = pd.DataFrame(
        [row[1:] for row in rows[1:]], [row[0] for row in rows[1:]], rows[0][1:], dtype=str
    )
    table = table if table.index.isin(patients).sum() + table.columns.isin(genes).sum() else table.T
    table = table.loc[table.index.isin(patients), table.columns.isin(genes)]
    if len(table) < LEAST or table.shape[1] == 0:
        raise InputError(
            f"{path}: {len(table)} patients (at least {LEAST} are needed) and {table.shape[1]}"
            f" genes in common with the predictions, whose names are such as {patients[0]} and"
            f" {genes[0]}"
        )
    _check_names(path, table)
    values = _numbers(path, table, comma)
    if values.min().min() < 0 or values.max().max() <= LOGGED_BELOW:
        return values, "as given: taken for log values"
    return (
        values.apply(np.log1p),
        f"log1p: there are values above {LOGGED_BELOW:g}, so they are not logarithms yet",
    )


def _numbers(path: Path, table: pd.DataFrame, comma: bool) -> pd.DataFrame:
    """The cells as numbers, NaN where one is empty."""
    comma = comma or any(is_decimal_comma(cell) for cell in table.to_numpy().ravel())
    values = np.full(table.shape, np.nan)
    for at, cell in np.ndenumerate(table.to_numpy()):
        value = parse_number(cell, comma=comma)
        if value is None and cell.lower() not in BLANK:
            row = table.index[at[0]]
            column = table.columns[at[1]]
            raise InputError(
                f"{path}, row {row}, column {column}: expected numbers, found {cell[:40]!r}"
                " (--bulk)"
            )
        values[at] = np.nan if value is None else value
    return pd.DataFrame(values, table.index, table.columns)


def _check_names(path: Path, table: pd.DataFrame) -> None:
    for names in (table.index, table.columns):
        if names.has_duplicates:
            raise InputError(
                f"{path}: {names[names.duplicated()][0]} is there twice; sum or drop such rows"
            )


def correlations(predicted: pd.DataFrame, bulk: pd.DataFrame, by: str) -> pd.DataFrame:
    """Pearson and Spearman correlation of two tables (n_patients, n_genes), and n, the pairs that
    have both values.

    Args:
        by: `gene`: over patients, a row a gene; `patient`: over genes, a row a patient.
    """
    patients, genes = (
        a.intersection(b)
        for a, b in ((predicted.index, bulk.index), (predicted.columns, bulk.columns))
    )
    one = predicted.loc[patients, genes]
    two = bulk.loc[patients, genes]
    if by == "patient":
        one = one.T
        two = two.T
    rows = [{by: name, **_pair(one[name].to_numpy(), two[name].to_numpy())} for name in one]
    return pd.DataFrame(rows).sort_values("pearson", ascending=False, ignore_index=True)


def _pair(a: NDArray[np.float64], b: NDArray[np.float64]) -> dict[str, float]:
    finite = np.isfinite(a) & np.isfinite(b)
    a = a[finite]
    b = b[finite]
    enough = len(a) >= LEAST and np.ptp(a) > 0 and np.ptp(b) > 0
    return {
        "pearson": float(stats.pearsonr(a, b)[0]) if enough else float("nan"),
        "spearman": float(stats.spearmanr(a, b)[0]) if enough else float("nan"),
        "n": len(a),
    }
