"""Images drawn from stain densities, with known nuclei."""

import cv2
import numpy as np
from numpy.typing import NDArray

from hespotex.histology.stain import STAIN_VECTORS

NUCLEUS = (0.6, 0.1)
GROUND = (0.02, 0.2)


def paint(haematoxylin: NDArray[np.float64], eosin: NDArray[np.float64]) -> NDArray[np.uint8]:
    """(height, width) densities of two stains -> (height, width, 3) RGB on a white slide."""
    density = haematoxylin[..., None] * STAIN_VECTORS[0] + eosin[..., None] * STAIN_VECTORS[1]
    return np.asarray(np.rint(255 * 10**-density), dtype=np.uint8)


def discs(
    centres_um: list[tuple[float, float]], radius_um: float, side_um: float, mpp: float
) -> NDArray[np.uint8]:
    """Dark discs on pink ground, drawn at 0.1 um per px and reduced to `mpp`."""
    fine = np.zeros((round(side_um * 10),) * 2, dtype=np.uint8)
    for x, y in centres_um:
        cv2.circle(fine, (round(x * 10), round(y * 10)), round(radius_um * 10), 1, -1)
    side = round(side_um / mpp)
    small = cv2.resize(fine.astype(np.float64), (side, side), interpolation=cv2.INTER_AREA)
    inside = np.asarray(small, dtype=np.float64)
    h, e = (g + (n - g) * inside for n, g in zip(NUCLEUS, GROUND, strict=True))
    return paint(h, e)


def grid_of_centres(number: int, pitch_um: float) -> list[tuple[float, float]]:
    """Number x number places, half a pitch away from the border."""
    steps = [(i + 0.5) * pitch_um for i in range(number)]
    return [(x, y) for y in steps for x in steps]
