"""Embedded nucleus detector: no learned weights, no download, a few passes over the pixels.

Haematoxylin density, smoothed; a pixel is nuclear where it is above a floor and above its own
neighbourhood; touching nuclei are split at seeds (peaks of the smoothed distance to the
background): every nuclear pixel goes to the nearest seed. All lengths are in um.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from hespotex.histology.shapes import Nuclei, measure_nuclei
from hespotex.histology.stain import haematoxylin_density

Floats = NDArray[np.float32]
Labels = NDArray[np.int32]
Mask = NDArray[np.uint8]

NEAR = 1.2  # within a fifth of the working pixel size nothing is gained by resampling


@dataclass(frozen=True)
class DetectorSettings:
    """Settings of the detector, tuned on ten breast tiles (experiments/nuclei)."""

    working_mpp: float = 0.7  # finer images are reduced to this before detection
    smooth_um: float = 0.9  # sigma of the smoothing of the density
    window_um: float = 50.0  # side of the neighbourhood of the local threshold
    contrast: float = 0.09  # density above the neighbourhood
    floor: float = 0.10  # absolute density
    seed_um: float = 1.0  # sigma of the smoothing of the distances to the background
    seed_darkness: float = 3.0  # um of distance that one unit of density is worth in a seed
    seed_gap_um: float = 4.0  # a seed is the peak of a disc of this diameter
    min_area_um2: float = 10.0
    max_area_um2: float = 400.0


DEFAULT = DetectorSettings()


def detect_nuclei(
    rgb: NDArray[np.uint8], mpp: float, settings: DetectorSettings = DEFAULT
) -> Nuclei:
    """(height, width, 3) RGB at `mpp` um per px -> its nuclei, centroids in px of `rgb`."""
    working = reduce_image(rgb, mpp, settings.working_mpp)
    zoom = rgb.shape[1] / working.shape[1]
    density = haematoxylin_density(working)
    labels = label_density(density, mpp * zoom, settings)
    return measure_nuclei(labels, density, mpp * zoom).scaled(zoom)


def label_nuclei(
    rgb: NDArray[np.uint8], mpp: float, settings: DetectorSettings = DEFAULT
) -> Labels:
    """(height, width, 3) RGB -> (height, width) labels, 0 background, 1 to n the nuclei.

    Numbered as the rows of `detect_nuclei`.
    """
    height, width = rgb.shape[:2]
    working = reduce_image(rgb, mpp, settings.working_mpp)
    zoom = width / working.shape[1]
    labels = label_density(haematoxylin_density(working), mpp * zoom, settings)
    rows = np.arange(height) * labels.shape[0] // height
    columns = np.arange(width) * labels.shape[1] // width
    return labels if labels.shape == (height, width) else labels[np.ix_(rows, columns)]


def reduce_image(rgb: NDArray[np.uint8], mpp: float, working_mpp: float) -> NDArray[np.uint8]:
    """Shrink an image finer than `working_mpp` to it; a coarser one is returned as it is."""
    if mpp <= 0:
        raise ValueError(f"expected mpp > 0 um per px, got {mpp}")
    if mpp > working_mpp / NEAR:
        return rgb
    height, width = rgb.shape[:2]
    size = (max(round(width * mpp / working_mpp), 1), max(round(height * mpp / working_mpp), 1))
    return shrink(rgb, size, working_mpp / mpp)


def shrink(rgb: NDArray[np.uint8], size: tuple[int, int], reduction: float) -> NDArray[np.uint8]:
    """Reduce an image to `size` (width, height), which is about `reduction` times smaller."""
    if size == (rgb.shape[1], rgb.shape[0]):
        return rgb
    # Below a factor of two linear interpolation sees every pixel, and is three times faster.
    how = cv2.INTER_LINEAR if reduction < 2 else cv2.INTER_AREA
    return np.asarray(cv2.resize(rgb, size, interpolation=how), dtype=np.uint8)


def label_density(density: Floats, mpp: float, settings: DetectorSettings = DEFAULT) -> Labels:
    """(height, width) haematoxylin density -> (height, width) labels, 1 to n without gaps."""
    smooth = _smooth(density, settings.smooth_um / mpp)
    mask = _threshold(smooth, mpp, settings)
    if not mask.any():
        return np.zeros(mask.shape, dtype=np.int32)
    at, seed_of_px = _split(mask, smooth, mpp, settings)
    number = _keep_sizes(seed_of_px, settings.min_area_um2 / mpp**2, settings.max_area_um2 / mpp**2)
    labels = np.zeros(mask.shape, dtype=np.int32)
    labels.ravel()[at] = number
    return labels


def _smooth(image: Floats, sigma_px: float) -> Floats:
    return np.asarray(cv2.GaussianBlur(image, (0, 0), max(sigma_px, 0.2)), dtype=np.float32)


def _odd(um: float, mpp: float) -> int:
    """Odd number of px nearest to a length, so that a window has a middle (flip invariance)."""
    return 2 * round(um / mpp / 2 - 0.5) + 1 if um > mpp else 1


def _threshold(density: Floats, mpp: float, settings: DetectorSettings) -> Mask:
    side = _odd(settings.window_um, mpp)
    # Reflection needs an image larger than the window; a smaller one repeats its edge.
    fits = side < 2 * min(density.shape)
    border = cv2.BORDER_REFLECT_101 if fits else cv2.BORDER_REPLICATE
    threshold = cv2.blur(density, (side, side), borderType=border) + np.float32(settings.contrast)
    above = density > np.maximum(threshold, np.float32(settings.floor))
    return np.asarray(above.view(np.uint8))


def _split(
    mask: Mask, density: Floats, mpp: float, settings: DetectorSettings
) -> tuple[NDArray[np.intp], Labels]:
    """Give every nuclear pixel to the nearest seed of its own connected component.

    Returns the flat places of the nuclear pixels and the seed of each, 0 if another component
    has the nearest. Only these are looked at: gathers over a whole image are slow.
    """
    seeds = _seeds(mask, density, mpp, settings)
    _, nearest = cv2.distanceTransformWithLabels(
        1 - seeds, cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_CCOMP
    )
    _, component = cv2.connectedComponents(mask, connectivity=4)
    at = np.flatnonzero(mask.view(np.bool_))
    at_seed = np.flatnonzero(seeds.view(np.bool_))
    owner = np.zeros(int(nearest.max()) + 1, dtype=np.int32)
    owner[nearest.ravel()[at_seed]] = component.ravel()[at_seed]
    seed_of_px = np.asarray(nearest.ravel()[at], dtype=np.int32)
    seed_of_px[owner[seed_of_px] != component.ravel()[at]] = 0
    return at, seed_of_px


def _seeds(mask: Mask, density: Floats, mpp: float, settings: DetectorSettings) -> Mask:
    """Peaks of depth inside the mask plus darkness: where a nucleus has its middle."""
    depth_um = cv2.distanceTransform(mask, cv2.DIST_L2, cv2.DIST_MASK_5) * np.float32(mpp)
    peak = _smooth(depth_um + density * np.float32(settings.seed_darkness), settings.seed_um / mpp)
    side = max(_odd(settings.seed_gap_um, mpp), 3)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    return (peak >= cv2.dilate(peak, disc)).view(np.uint8) & mask


def _keep_sizes(seed_of_px: Labels, smallest_px: float, largest_px: float) -> Labels:
    """Renumber the parts of the right size 1 to n, the others 0."""
    size = np.bincount(seed_of_px)
    keep = (size >= smallest_px) & (size <= largest_px)
    keep[0] = False
    number = np.where(keep, np.cumsum(keep), 0).astype(np.int32)
    return np.asarray(number[seed_of_px], dtype=np.int32)
