"""A source of nuclei: `FOLDER/SECTION.npy`, an array (n, 2) of centroids in full-resolution px, x
then y.
"""

from pathlib import Path
from typing import Any

import numpy as np

from hespotex.common.files import file_fingerprint
from hespotex.nuclei import NucleiTable, nuclei_table
from hespotex.sections.section import Section


class NpyNuclei:
    # all nuclei of the section are given
    name = "npy"
    around_um = float("inf")

    def __init__(self, folder: str) -> None:
        self.folder = Path(folder)

    def identity(self, section: Section) -> dict[str, Any]:
        return {"file": file_fingerprint(self.folder / f"{section.section_id}.npy")}

    def nuclei(self, section: Section) -> NucleiTable:
        return nuclei_table(np.load(self.folder / f"{section.section_id}.npy"))

    def expected_seconds(self, section: Section) -> None:
        return None  # short enough to be tried
