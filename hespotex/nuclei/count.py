"""From nuclei to one number per spot."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from hespotex.common.errors import InputError
from hespotex.nuclei.table import Floats, NucleiSource
from hespotex.sections.section import Section

NORMS = {"square": np.inf, "circle": 2.0}  # Minkowski exponents whose ball has this shape


class NucleiPerSpot:
    """Counts the nuclei whose centroid lies in a square or circle around the spot.

    Args:
        source: where the nuclei come from.
        count_um: side of the square, or diameter of the circle (um).
        shape: "square" or "circle".
    """

    def __init__(
        self, source: NucleiSource, count_um: float = 112.0, shape: str = "square"
    ) -> None:
        if shape not in NORMS:
            raise InputError(f"nuclei.counter.shape={shape!r}: expected one of {', '.join(NORMS)}")
        if not 0 < count_um <= source.around_um:
            raise InputError(
                f"nuclei.counter.count_um={count_um:g}: expected a length in um above 0 and at most"
                f" the {source.around_um:g} um around each spot in which nuclei are looked for"
                " (nuclei.counter.source.around_um)"
            )
        self.source = source
        self.count_um = float(count_um)
        self.shape = shape
        self.name = f"nuclei-{source.name}"

    def identity(self, section: Section) -> dict[str, Any]:
        """The source's own identity, and the size and shape of what is counted in."""
        return {
            "source": self.source.identity(section),
            "count_um": self.count_um,
            "shape": self.shape,
        }

    def __call__(self, section: Section) -> NDArray[np.float32]:
        """Nuclei in the square or circle around each spot, (n_spots,); its border counts as inside.

        Raises:
            InputError: the source gave centroids of another shape.
        """
        centroids = np.asarray(self.source.nuclei(section).centroids)
        if centroids.ndim != 2 or centroids.shape[1] != 2:
            expected = "expected centroids of shape (n_nuclei, 2), px, x then y"
            raise InputError(
                f"{self.name} of {section.section_id}: {expected}, got {centroids.shape}"
            )
        return count_around(centroids, section.pos_px, self.count_um / 2 / section.mpp, self.shape)

    def expected_seconds(self, section: Section) -> float | None:
        """See `NucleiSource`."""
        return self.source.expected_seconds(section)


def count_around(
    centroids: Floats, pos_px: Floats, reach_px: float, shape: str
) -> NDArray[np.float32]:
    """Counts (n_spots,) of `centroids` (n, 2) within `reach_px` of `pos_px` (n_spots, 2); the
    border counts as inside.
    """
    if not len(centroids):
        return np.zeros(len(pos_px), dtype=np.float32)
    counts = cKDTree(centroids).query_ball_point(
        pos_px, reach_px, p=NORMS[shape], return_length=True
    )
    return np.asarray(counts, dtype=np.float32)
