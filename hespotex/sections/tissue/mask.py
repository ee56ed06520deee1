"""A mask of tissue at low power, in the coordinates of the slide."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
Ring = NDArray[np.float64]  # closed outline (n, 2), the last point is not repeated


@dataclass(frozen=True)
class Tissue:
    """Tissue of one slide.

    `mask`: (rows, columns) over the whole slide; `scale`: px of the mask per full-resolution px;
    `source`: how it was found.
    """

    mask: Mask
    scale: float
    source: str

    def fraction(self, pos_px: NDArray[np.float64], side_px: float) -> NDArray[np.float64]:
        """Share of tissue in a square of `side_px` around each position (n_spots, 2), both in
        full-resolution px.
        """
        return tissue_fraction(self.mask, self.scale, pos_px, side_px)

    def area_mm2(self, mpp: float) -> float:
        """Area at `mpp` um per full-resolution px."""
        return float(self.mask.sum() * (mpp / self.scale / 1000) ** 2)

    def pieces(self) -> list[list[Ring]]:
        """Outlines in full-resolution px, a list for each piece: its border first, then its holes.

        They run through the middles of the border's px, so that filling them gives the mask again.
        A line of px has none.
        """
        contours, tree = cv2.findContours(
            self.mask.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE
        )
        pieces: dict[int, list[Ring]] = {}
        # parents (-1) before their holes
        for i in sorted(range(len(contours)), key=lambda i: tree[0, i, 3]):
            if len(contours[i]) < 3:
                continue
            parent = int(tree[0, i, 3])
            pieces.setdefault(i if parent < 0 else parent, []).append(
                (contours[i][:, 0] + 0.5) / self.scale
            )
        return list(pieces.values())


def tissue_fraction(
    mask: Mask, scale: float, pos_px: NDArray[np.float64], side_px: float
) -> NDArray[np.float64]:
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
