"""How long the chords of dark nuclei are: a length in px that no pixel size has a part in."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from hespotex.histology.stain import haematoxylin_density

Mask = NDArray[np.bool_]
SMOOTH_PX = 1.0  # sigma, against the noise of single px
LEVELS = 255
DARKEST = 0.999  # quantile of the density that is the upper end of the levels
FLOOR = 0.1  # optical density below which nothing is stained
EVERY = 7  # px of which the threshold is found


def nuclear_chord(tiles: Sequence[NDArray[np.uint8]]) -> float:
    """Median chord (px) of what haematoxylin stains, each weighted by its length.

    One threshold for all tiles (Otsu 1979), then the runs of px above it along rows and columns.
    NaN where nothing is stained.

    Args:
        tiles: RGB (height, width, 3), of one slide.
    """
    density = [cv2.GaussianBlur(haematoxylin_density(tile), (0, 0), SMOOTH_PX) for tile in tiles]
    limit = _threshold(
        np.concatenate([blurred.ravel()[::EVERY] for blurred in density] or [np.empty(0)])
    )
    chords = [
        runs(stained) for blurred in density for stained in (blurred > limit, (blurred > limit).T)
    ]
    return _weighted_median(np.concatenate([*chords, np.empty(0)]))


def runs(mask: Mask) -> NDArray[np.int64]:
    """Lengths of the runs of true px along the rows (height, width) of a mask."""
    edges = np.diff(np.pad(mask.astype(np.int8), ((0, 0), (1, 1))), axis=1)
    return np.asarray(np.nonzero(edges == -1)[1] - np.nonzero(edges == 1)[1], dtype=np.int64)


def _threshold(values: NDArray[np.float32]) -> float:
    """Between stained and not (Otsu 1979); infinite where nothing is stained."""
    top = float(np.quantile(values, DARKEST)) if len(values) else 0.0
    if top <= 0:
        return np.inf
    levels = np.clip(values / top * LEVELS, 0, LEVELS).astype(np.uint8).reshape(1, -1)
    limit, _ = cv2.threshold(levels, 0, LEVELS, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    threshold = float(limit) / LEVELS * top
    return threshold if threshold > FLOOR else np.inf


def _weighted_median(lengths: NDArray[np.floating]) -> float:
    """The length of which half of the total is shorter; NaN of none."""
    if not lengths.sum() > 0:
        return float("nan")
    ordered = np.sort(lengths)
    share = np.cumsum(ordered) / ordered.sum()
    return float(ordered[np.searchsorted(share, 0.5)])
