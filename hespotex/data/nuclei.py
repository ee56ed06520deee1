"""Nuclei per spot, counted on the patch and cached like an embedding."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hespotex.histology import detect_nuclei

MARGIN_UM = 8.0  # half a large nucleus: one that the border would cut is seen whole


class HaematoxylinCounter:
    """Counts nuclei whose centre lies within a square around the spot, by the embedded detector.

    Args:
        count_um: side of the square (um).
        mpp: pixel size at which the detector looks (um per px).
    """

    name = "nuclei-haematoxylin"

    def __init__(self, count_um: float = 112.0, mpp: float = 0.5) -> None:
        self.count_um = count_um
        self.patch_um = [count_um + 2 * MARGIN_UM]
        self.patch_px = round(self.patch_um[0] / mpp)

    def identity(self) -> dict[str, Any]:
        return {"name": self.name, "version": 1, "count_um": self.count_um}

    def __call__(self, patches: NDArray[np.uint8], mpp: float) -> NDArray[np.float32]:
        """(n, px, px, 3) -> (n, 1) counts."""
        low, high = MARGIN_UM / mpp, (MARGIN_UM + self.count_um) / mpp
        counts = []
        for patch in patches:
            centroids = detect_nuclei(patch, mpp).centroids
            counts.append(((centroids >= low) & (centroids < high)).all(axis=1).sum())
        return np.array(counts, dtype=np.float32)[:, None]
