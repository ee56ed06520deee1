"""Spots and genes as one flat table: CSV or Parquet."""

from collections.abc import Iterator
from pathlib import Path

import anndata as ad
import pandas as pd

from hespotex.common.errors import InputError
from hespotex.common.files import atomic_path
from hespotex.common.spreadsheet import write_csv
from hespotex.results.slide.table import positions, set_features

ROWS = 2000  # at a time: the whole table would be a second copy of the prediction


def write_flat(table: ad.AnnData, path: Path) -> None:
    """One row a spot: `spot`, x_px, y_px, x_um, y_um, `unit` where all values have one, the columns
    of `obs`, `set:NAME` of each gene set, the genes.

    Raises:
        InputError: the file name ends neither in .csv nor in .parquet.
    """
    if path.suffix not in (".csv", ".parquet"):
        raise InputError(f"expected flat=csv or parquet, got {path.suffix.lstrip('.')}")
    with atomic_path(path) as part:
        (_write_csv if path.suffix == ".csv" else _write_parquet)(_chunks(table), part)


def _chunks(table: ad.AnnData) -> Iterator[pd.DataFrame]:
    sets = {f"set:{feature.name}": feature.values for feature in set_features(table)}
    about = table.uns["hespotex"]
    units = {"unit": about["unit"]} if "unit" in about else {}
    unit = pd.DataFrame(units, index=table.obs_names)
    left = pd.concat(
        [positions(table), unit, table.obs, pd.DataFrame(sets, index=table.obs_names)], axis=1
    ).rename_axis("spot")
    for start in range(0, table.n_obs, ROWS):
        rows = slice(start, start + ROWS)
        genes = pd.DataFrame(table.X[rows], index=table.obs_names[rows], columns=table.var_names)
        yield pd.concat([left.iloc[rows], genes], axis=1).rename_axis("spot").reset_index()


def _write_csv(chunks: Iterator[pd.DataFrame], path: Path) -> None:
    for number, chunk in enumerate(chunks):
        write_csv(chunk, path, mode="a", header=number == 0, index=False, float_format="%.6g")


def _write_parquet(chunks: Iterator[pd.DataFrame], path: Path) -> None:
    import pyarrow as pa
    from pyarrow.parquet import ParquetWriter

    first = pa.Table.from_pandas(next(chunks), preserve_index=False)
    with ParquetWriter(path, first.schema, compression="zstd") as writer:
        writer.write_table(first)
        for chunk in chunks:
            writer.write_table(
                pa.Table.from_pandas(chunk, schema=first.schema, preserve_index=False)
            )
