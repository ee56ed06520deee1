"""What an h5ad says of its spots and genes, read through anndata without the counts.

Files of anndata 0.6 hold `obs` as one compound data set with the categories in `uns`; those of 0.7
keep them in `obs/__categories`. The codes of a category are never taken for its value.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd

from hespotex.common.errors import InputError, full_cause
from hespotex.common.hdf5 import open_hdf5
from hespotex.sections.ids import plain_id
from hespotex.sections.names.genes import Genes, genes_of_table


def read_obs(path: Path) -> pd.DataFrame:
    """The table `obs` of an h5ad, categories as their values.

    Raises:
        InputError: no such file, or none that anndata can read.
    """
    (table,) = _tables(path, ["obs"])
    return table


def read_genes(path: Path) -> Genes:
    """The genes of an h5ad, those of `.raw` behind the others.

    Raises:
        InputError: no such file, or none that anndata can read.
    """
    tables = [genes_of_table(table) for table in _tables(path, ["var", "raw/var", "raw.var"])]
    names = [name for genes in tables for name in genes.names]
    ids = [ensembl for genes in tables for ensembl in genes.ids]
    pairs = list(dict.fromkeys(zip(names, ids, strict=True)))
    return Genes(tuple(name for name, _ in pairs), tuple(ensembl for _, ensembl in pairs))


def _tables(path: Path, names: Sequence[str]) -> list[pd.DataFrame]:
    """Those of these tables of an h5ad that are there; the first one must be."""
    if not path.is_file():
        raise InputError(f"h5ad not found: {path}; set data.reader.root")
    try:
        with open_hdf5(path) as file:
            present = [name for name in names if name == names[0] or name in file]
            tables = [ad.io.read_elem(file[name]) for name in present]
            return [
                table if isinstance(table, pd.DataFrame) else _compound(file, table)
                for table in tables
            ]
    except InputError:
        raise
    except Exception as error:  # h5py and anndata raise many kinds for a broken file
        raise InputError(
            f"{path}: {names[0]} cannot be read ({full_cause(error)}); is the file whole?"
        ) from error


def one_patient(path: Path, obs: pd.DataFrame, group_key: str) -> str:
    """The one value that a column of `obs` has.

    Args:
        path: for messages.
        obs: the spots of one section.
        group_key: the column.

    Raises:
        InputError: no such column, blank values, or several.
    """
    way_out = "set data.reader.group_key or data.reader.groups, and keep one section a file"
    if group_key not in obs:
        raise InputError(
            f"{path}: expected one patient in obs[{group_key!r}], found columns"
            f" {sorted(str(name) for name in obs)}; {way_out}"
        )
    values = sorted({plain_id(value) for value in obs[group_key].unique()})
    if len(values) != 1 or not values[0]:
        patients = [value or "a blank" for value in values]
        raise InputError(
            f"{path}: expected one patient in obs[{group_key!r}], found {patients[:20]}; {way_out}"
        )
    return values[0]


def _compound(file: Any, table: Any) -> pd.DataFrame:
    """`obs` of anndata 0.6: codes become the values that `uns/{column}_categories` lists."""
    if table.dtype.names is None:
        raise ValueError("expected a table")
    columns = {name: _text(table[name]) for name in table.dtype.names}
    for name in columns:
        if f"uns/{name}_categories" in file:
            categories = _text(file[f"uns/{name}_categories"][()])
            codes = np.asarray(columns[name], dtype=np.int64)
            columns[name] = pd.Categorical.from_codes(codes, pd.Index(categories))
    first = table.dtype.names[0]
    return pd.DataFrame(columns).set_index(first)


def _text(values: Any) -> Any:
    """Bytes as text; everything else as it is."""
    array = np.atleast_1d(np.asarray(values))
    return np.char.decode(array, "utf-8") if array.dtype.kind == "S" else array
