"""Predictions as one more table of the SpatialData object that a section came from.

A table is an AnnData in zarr with the attributes of SpatialData's format; it is written by anndata
and zarr alone.
"""

import warnings
from pathlib import Path
from typing import Any, Literal

import anndata as ad
import pandas as pd
import zarr

from hespotex.common.errors import InputError, full_cause
from hespotex.common.files import atomic_path
from hespotex.common.locks import alone_in
from hespotex.sections.readers.spatialdata import Entry

ATTRS = "spatialdata_attrs"  # of a table's uns: which element its rows are of
KEYS = ("region_key", "instance_key")
Format = Literal[2, 3]  # of zarr
VERSIONS = {2: "0.1", 3: "0.2"}  # of SpatialData's tables, by zarr's format


def table_path(entry: Entry, name: str) -> Path:
    """Where a table of the section's object lies."""
    return entry.path / "tables" / name


def check_free(entry: Entry, name: str) -> None:
    """Refuse to write over a table.

    Raises:
        InputError: there is one of this name.
    """
    if table_path(entry, name).exists():
        raise InputError(
            f"{entry.path}: there is a table {name!r} already; choose another name with --table, or"
            " replace it with --replace"
        )


def add_table(entry: Entry, predicted: ad.AnnData, name: str, replace: bool = False) -> Path:
    """Put predictions into the object as the table `name`, whole or not at all; it annotates the
    same element as the section's counts.

    Args:
        entry: the section.
        predicted: (n_spots, n_genes), spots called as the rows of the section's own table.
        name: of the new table.
        replace: take the place of a table of this name.

    Raises:
        InputError: there is a table of this name, another process writes into the object, or spots
          that its table does not have.
    """
    with alone_in(entry.path, "give the same command again", beside=True):
        if not replace:
            check_free(entry, name)
        root = zarr.open_group(entry.path, mode="r", use_consolidated=False)
        target = table_path(entry, name)
        with atomic_path(target) as part:
            _write(part, _tied(entry, predicted), root.metadata.zarr_format)
        _consolidate(entry.path)
    return target


def _tied(entry: Entry, predicted: ad.AnnData) -> ad.AnnData:
    """The predictions with the columns that tie their rows to the element."""
    obs, keys = _rows(entry)
    spots = obs[obs[keys["region_key"]].astype(str) == entry.region]
    absent = predicted.obs_names.difference(spots.index)
    if len(absent):
        raise InputError(
            f"{entry.path}: {len(absent)} of {len(predicted)} predicted spots are no rows of the"
            f" table {entry.table!r} for {entry.region!r}, such as {list(absent[:2])}; was the"
            " object written anew since?"
        )
    table = predicted.copy()
    for key in keys.values():
        table.obs[key] = spots.loc[table.obs_names, key].to_numpy()
    region = keys["region_key"]
    table.obs[region] = pd.Categorical(table.obs[region].astype(str))
    table.uns = {
        **{key: value for key, value in predicted.uns.items() if key != "spatial"},
        ATTRS: {"region": entry.region, **keys},
    }
    return table


def _rows(entry: Entry) -> tuple[pd.DataFrame, dict[str, str]]:
    """`obs` of the section's own table, and the names of its columns for element and instance."""
    path = table_path(entry, entry.table)
    try:
        group: Any = zarr.open_group(path, mode="r", use_consolidated=False)
        attrs = ad.io.read_elem(group["uns"][ATTRS])
        return ad.io.read_elem(group["obs"]), {key: str(attrs[key]) for key in KEYS}
    except Exception as error:  # zarr and anndata raise many kinds
        raise InputError(
            f"{path}: cannot be read as a table of SpatialData ({full_cause(error)}); is the object"
            " whole?"
        ) from error


def _write(path: Path, table: ad.AnnData, zarr_format: Format) -> None:
    group: Any = zarr.open_group(path, mode="w", zarr_format=zarr_format)
    with ad.settings.override(allow_write_nullable_strings=False):  # as older readers know them
        ad.io.write_elem(group, "/", table)
    group.attrs.update(
        {"spatialdata-encoding-type": "ngff:regions_table", **table.uns[ATTRS]}
        | {"version": VERSIONS[zarr_format]}
    )


def _consolidate(path: Path) -> None:
    """Renew the list of all that is in the object, where it has one."""
    group = zarr.open_group(path, mode="r")
    if group.metadata.consolidated_metadata is None:
        return
    with warnings.catch_warnings():  # Parquet files are no zarr
        warnings.simplefilter("ignore")
        zarr.consolidate_metadata(path, zarr_format=group.metadata.zarr_format)
