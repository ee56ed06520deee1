"""Nuclei as a table of points."""

from pathlib import Path

import numpy as np
import pandas as pd

from hespotex.data.nuclei.files import FileNuclei
from hespotex.data.nuclei.table import Floats, NucleiTable, nuclei_table
from hespotex.data.readers.common import read_table
from hespotex.data.section import Section
from hespotex.errors import InputError


class CentroidNuclei(FileNuclei):
    """CSV with columns `x`, `y` (full-resolution px, 0 at the outer edge of the first pixel), and where known `area_um2`
    and `class`; other columns are not looked at.
    """

    name = "centroids"
    patterns = ("ID.csv", "ID.csv.gz")

    def read(self, path: Path, section: Section) -> NucleiTable:
        table = read_table(path, sep=",")
        if not {"x", "y"} <= set(table):
            raise InputError(f"{path}: expected columns x,y (full-resolution px), area_um2 and class, found {list(table)}")
        xy = np.stack([_numbers(table, name, path) for name in ("x", "y")], axis=1)
        area = pd.to_numeric(table["area_um2"], errors="coerce").to_numpy(np.float64) if "area_um2" in table else None
        kind = table["class"].fillna("").astype(str).tolist() if "class" in table else None
        return nuclei_table(xy, area, kind)


def _numbers(table: pd.DataFrame, name: str, path: Path) -> Floats:
    values = pd.to_numeric(table[name], errors="coerce").to_numpy(np.float64)
    broken = np.flatnonzero(~np.isfinite(values))
    if len(broken):
        raise InputError(
            f"{path}: column {name} holds {len(broken)} values that are no numbers, the first in line {broken[0] + 2}: "
            f"{table[name].iloc[broken[0]]!r}"
        )
    return values
