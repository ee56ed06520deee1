"""How a section of the demo was measured: which genes, and which of the spots."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hespotex.demo.layout import PITCH_UM, SPOT_UM
from hespotex.demo.section import Section

Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Technology:
    """One platform.

    Args:
        name: in HEST-1k's words.
        pitch_um, diameter_um: of its spots.
        every: of so many genes ...
        left_out: ... these are not measured.
        coarse: takes every other spot of every other row.
    """

    name: str
    pitch_um: float = PITCH_UM
    diameter_um: float = SPOT_UM
    every: int = 1
    left_out: tuple[int, ...] = ()
    coarse: bool = False

    def measure(self, section: Section) -> Section:
        """What it sees of a section that was measured in full."""
        genes = ~np.isin(np.arange(len(section.names)) % self.every, self.left_out)
        spots = self._spots(section)
        grid = section.spots
        return replace(
            section,
            spots=replace(grid, xy=grid.xy[spots], row=grid.row[spots], col=grid.col[spots]),
            names=[name for name, in_panel in zip(section.names, genes, strict=True) if in_panel],
            counts=section.counts[spots][:, genes],
            log_rate=section.log_rate[spots][:, genes],
        )

    def _spots(self, section: Section) -> Bools:
        """A hexagonal grid of twice the pitch, where the array is coarse."""
        row = section.spots.row
        column = section.spots.col
        if not self.coarse:
            return np.ones(len(row), dtype=bool)
        return np.asarray((row % 2 == 0) & ((column - row) % 4 == 0))


VISIUM = Technology("Visium")
MIXED = (  # of patients P1, P2, P3, P4 = P1, ...
    VISIUM,
    Technology("Xenium", every=3, left_out=(1, 2)),
    Technology("Spatial Transcriptomics", 2 * PITCH_UM, 100.0, 4, (1,), coarse=True),
)


def technology(patient: int, mixed: bool) -> Technology:
    """Of a patient's sections: all Visium, or each patient another one."""
    return MIXED[patient % len(MIXED)] if mixed else VISIUM
