"""The embedded detector as a source of nuclei: no weights, no download."""

from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hespotex.histology import DetectorSettings, detect_nuclei
from hespotex.nuclei.detected import DetectedNuclei, Finder
from hespotex.nuclei.table import NucleiTable, nuclei_table
from hespotex.sections.section import Section

VERSION = 2  # raise it when the same settings find other nuclei
SETTINGS = DetectorSettings()
# The local threshold looks half a window away; a long nucleus and the smoothing reach this much
# further.
REACH_UM = 30.0


class HaematoxylinNuclei(DetectedNuclei):
    """Nuclei by colour deconvolution, local threshold and splitting by distance
    (`hespotex.histology.nuclei`).

    Args:
        around_um, workers, tile_px: see `DetectedNuclei`.
    """

    name = "haematoxylin"

    def __init__(self, around_um: float, workers: int = 2, tile_px: int = 1024) -> None:
        super().__init__(
            around_um, SETTINGS.working_mpp, SETTINGS.window_um / 2 + REACH_UM, workers, tile_px
        )

    def identity(self, section: Section) -> dict[str, Any]:
        """All settings of the detector, and its version."""
        return super().identity(section) | {"version": VERSION, "settings": asdict(SETTINGS)}

    def finder(self, section: Section) -> Finder:
        """One function for all sections: nothing is fitted to the slide."""
        return _find


def _find(rgb: NDArray[np.uint8], mpp: float) -> NucleiTable:
    nuclei = detect_nuclei(rgb, mpp)
    return nuclei_table(
        nuclei.centroids.astype(np.float64) + 0.5, nuclei.area_um2.astype(np.float64)
    )
