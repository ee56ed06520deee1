"""Tissue found by colour and cleaned by size."""

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from hespotex.sections.images import RegionReader
from hespotex.sections.images.region import thumbnail
from hespotex.sections.tissue.colour import ink, stained
from hespotex.sections.tissue.mask import Mask, Tissue

LONGEST_PX = 5000  # bounds the memory: about 0.5 GB at work
# texture and gaps between fibres that are no border of tissue
BLUR_UM = 24.0
CLOSE_UM = 40.0
INK_RIM_UM = 24.0  # faint around a stroke


def find_tissue(
    image: RegionReader,
    mpp: float,
    um_per_px: float = 8.0,
    min_piece_um2: float = 50_000,
    max_hole_um2: float = 10_000,
) -> Tissue:
    """Stained areas less ink; a blank slide gives an empty mask.

    Args:
        image: the slide; mpp: its um per full-resolution px.
        um_per_px: of the mask; coarser where the slide would be more than 5000 px long.
        min_piece_um2: smaller pieces are dropped as dust.
        max_hole_um2: smaller holes are filled.
    """
    picture, scale = thumbnail(image, min(LONGEST_PX, math.ceil(max(image.size) * mpp / um_per_px)))
    px_um = mpp / scale
    picture = np.asarray(cv2.medianBlur(picture, _odd(BLUR_UM / px_um)), dtype=np.uint8)
    marked = ink(picture)
    mask = _morphology(stained(picture, ~marked), cv2.MORPH_CLOSE, CLOSE_UM / px_um)
    mask = ~without_small(~mask, max_hole_um2 / px_um**2)
    mask &= ~_morphology(marked, cv2.MORPH_DILATE, 2 * INK_RIM_UM / px_um)
    return Tissue(without_small(mask, min_piece_um2 / px_um**2), scale, "found by colour")


def without_small(mask: Mask, least_px: float) -> Mask:
    """The mask without connected pieces of fewer than `least_px` px."""
    _, labels, facts, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    keep: NDArray[np.bool_] = facts[:, cv2.CC_STAT_AREA] >= least_px
    keep[0] = False  # label 0 is all that is not in the mask
    return keep[labels]


def _morphology(mask: Mask, operation: int, diameter_px: float) -> Mask:
    size = _odd(diameter_px)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
    return np.asarray(cv2.morphologyEx(mask.astype(np.uint8), operation, disc)).astype(bool)


def _odd(px: float) -> int:
    """The nearest odd number, 1 or more."""
    return 2 * max(0, round((px - 1) / 2)) + 1
