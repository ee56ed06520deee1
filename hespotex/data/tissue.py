"""Where the tissue is on a slide, seen at low power."""

import cv2
import numpy as np
from numpy.typing import NDArray

from hespotex.data.images import RegionReader
from hespotex.data.images.region import thumbnail

LOW_POWER_PX = 2000
LEAST_SATURATION = 12  # below this (of 255) a slide has no colour to tell tissue from glass by


def tissue_mask(image: RegionReader) -> tuple[NDArray[np.bool_], float]:
    """Mask of coloured areas (rows, columns), by Otsu's threshold on saturation, and its px per level-0 px."""
    picture, scale = thumbnail(image, LOW_POWER_PX)
    saturation = cv2.cvtColor(cv2.medianBlur(picture, 5), cv2.COLOR_RGB2HSV)[..., 1]
    threshold, _ = cv2.threshold(saturation, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    mask = (saturation > max(threshold * 0.75, LEAST_SATURATION)).astype(np.uint8)
    mask = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (9, 9)))
    return mask.astype(bool), scale


def tissue_fraction(mask: NDArray[np.bool_], scale: float, pos_px: NDArray[np.float64], side_px: float) -> NDArray[np.float64]:
    """Share of tissue in a square of `side_px` level-0 px around each position, (n_spots,)."""
    total = cv2.integral(mask.astype(np.uint8)).astype(np.float64)
    low = np.clip(np.round((pos_px - side_px / 2) * scale), 0, None).astype(int)
    high = np.round((pos_px + side_px / 2) * scale).astype(int)
    limit = np.array(mask.shape[::-1])
    low, high = np.minimum(low, limit), np.minimum(np.maximum(high, low + 1), limit)
    inside = (
        total[high[:, 1], high[:, 0]]
        - total[low[:, 1], high[:, 0]]
        - total[high[:, 1], low[:, 0]]
        + total[low[:, 1], low[:, 0]]
    )
    return np.asarray(inside / np.maximum((high - low).prod(axis=1), 1))
