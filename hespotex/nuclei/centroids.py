"""Nuclei as a table of points."""

from pathlib import Path

import numpy as np

from hespotex.common.user_table import read_user_table
from hespotex.nuclei.files import FileNuclei
from hespotex.nuclei.table import NucleiTable, nuclei_table
from hespotex.sections.section import Section

OTHER_NAMES = {"x": ("x_px",), "y": ("y_px",)}


class CentroidNuclei(FileNuclei):
    """CSV with columns `x`, `y` (full-resolution px, 0 at the outer edge of the first pixel), and
    where known `area_um2` and `class`; other columns are not looked at.
    """

    name = "centroids"
    patterns = ("ID.csv", "ID.csv.gz")

    def read(self, path: Path, section: Section) -> NucleiTable:
        """One nucleus a row; area and class are unknown where the table has no such column.

        Raises:
            InputError: no columns `x` and `y`, or a cell that is no number.
        """
        table = read_user_table(
            path, "nuclei.counter.source.folder", ["x", "y"], OTHER_NAMES, ["area_um2", "class"]
        )
        xy = np.stack([table.numbers("x", "px"), table.numbers("y", "px")], axis=1)
        area = table.numbers("area_um2", blank=True) if "area_um2" in table else None
        kind = table.text("class", blank=True) if "class" in table else None
        return nuclei_table(xy, area, kind)
