"""Several sections in one h5ad: `uns["spatial"]` with a key for each, and a column of `obs`."""

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hespotex.common.errors import InputError
from hespotex.common.hdf5 import open_hdf5
from hespotex.sections.ids import plain_id
from hespotex.sections.readers.obs import read_obs

log = logging.getLogger(__name__)
COLUMNS = ("library_id", "library", "sample", "sample_id", "batch")
KEY = "data.reader.library_key"


@dataclass(frozen=True)
class Library:
    """The spots of which `obs[column]` is `name`."""

    column: str
    name: str

    def spots(self, obs: pd.DataFrame) -> NDArray[np.bool_]:
        """Which rows of `obs` are its spots, (n_spots,)."""
        return np.array([plain_id(value) == self.name for value in obs[self.column]], dtype=bool)


def libraries_of(spatial: Any) -> dict[str, Mapping[str, Any]]:
    """The libraries in `uns["spatial"]`, whatever else lies there: flags, text, lists."""
    held = dict(spatial) if isinstance(spatial, Mapping) else {}
    return {str(name): value for name, value in held.items() if isinstance(value, Mapping)}


def libraries_in(path: Path, column: str | None = None) -> list[Library]:
    """The libraries of a file that holds several, in the order of their names; else none.

    Args:
        path: h5ad.
        column: of `obs`, that names them; None looks for one.

    Raises:
        InputError: the file cannot be read, or has no such column.
    """
    obs = read_obs(path)
    if column is not None and column not in obs:
        columns = [str(name) for name in obs]
        raise InputError(f"{path}: no column {column!r} in obs, found {columns[:20]}; set {KEY}")
    keys = _keys(path)
    if column is None:
        column, names = library_column(keys, obs)
    else:
        names = _values(obs, column)
    if column is None or len(names) < 2:
        return []
    _say_left_out(path, column, keys, names, obs)
    return [Library(column, name) for name in names]


def _say_left_out(
    path: Path, column: str, keys: Sequence[str], names: Sequence[str], obs: pd.DataFrame
) -> None:
    """Tell of spots without a library, and of libraries without spots."""
    if blank := sum(not plain_id(value) for value in obs[column]):
        log.warning("%s: %d spots name no library in %s: left out", path, blank, column)
    empty = sorted(set(keys) - set(names))
    if empty and len(empty) < len(keys):  # else the column names something else
        message = '%s: uns["spatial"] names %s, of which obs[%r] has no spot: left out'
        log.warning(message, path, ", ".join(empty[:8]), column)


def library_column(libraries: Collection[str], obs: pd.DataFrame) -> tuple[str | None, list[str]]:
    """The column of `obs` that names each spot's library, and its values; None where there is none.

    Args:
        libraries: names in `uns["spatial"]`.
        obs: a row a spot.
    """
    for name in _candidates(obs):
        values = _values(obs, name)
        agrees = len(libraries) > 1 and set(values) <= set(libraries)
        if values and (name == COLUMNS[0] or agrees):
            return name, values
    return None, []


def _values(obs: pd.DataFrame, column: str) -> list[str]:
    return sorted({plain_id(value) for value in obs[column].unique()} - {""})


def _candidates(obs: pd.DataFrame) -> list[str]:
    others = [str(n) for n in obs if n not in COLUMNS and obs[n].dtype.kind not in "fiub"]
    return [name for name in (*COLUMNS, *others) if name in obs]


def _keys(path: Path) -> list[str]:
    """The keys of `uns["spatial"]` that hold something, without reading it."""
    with open_hdf5(path) as file:
        spatial = file.get("uns/spatial")
        if not isinstance(spatial, h5py.Group):
            return []
        return [str(name) for name in spatial if isinstance(spatial[name], h5py.Group)]
