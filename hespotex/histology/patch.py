"""One patch with what several feature groups share, computed once."""

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from hespotex.histology.nuclei import label_density, reduce_image
from hespotex.histology.shapes import Nuclei, measure_nuclei
from hespotex.histology.stain import stain_density

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]

WORKING_MPP = 0.5  # finer patches are reduced to this: a texture has to mean the same at 0.25


@dataclass(frozen=True)
class Patch:
    """A patch at its working pixel size: all arrays are (height, width) unless said otherwise.

    `rgb` (height, width, 3) uint8, `haematoxylin` and `eosin` optical density, `white` where
    hardly any light is absorbed (glass, lumen, fat), `labels` 0 or the nucleus, `nuclei`.
    """

    rgb: NDArray[np.uint8]
    mpp: float
    haematoxylin: Floats
    eosin: Floats
    white: Mask
    labels: NDArray[np.int32]
    nuclei: Nuclei

    @property
    def area_mm2(self) -> float:
        """Area of the patch in mm2."""
        return self.white.size * self.mpp**2 / 1e6

    @cached_property
    def nuclear(self) -> Mask:
        """Where a nucleus is."""
        return np.asarray(self.labels > 0)

    @cached_property
    def saturation(self) -> NDArray[np.uint8]:
        """Saturation of colour, 0 to 255."""
        hsv = cv2.cvtColor(self.rgb, cv2.COLOR_RGB2HSV)
        return np.asarray(cv2.extractChannel(hsv, 1), dtype=np.uint8)

    @cached_property
    def red_cells(self) -> Mask:
        """Red blood cells: where red light passes and green and blue light do not."""
        red, green, blue = cv2.split(self.rgb)
        red_light = (red > 150) & (green < 110) & (blue < 140)
        return np.asarray(red_light & (self.haematoxylin < 0.15))


def read_patch(rgb: NDArray[np.uint8], mpp: float) -> Patch:
    """(height, width, 3) RGB at `mpp` um per px -> densities, glass and nuclei."""
    working = reduce_image(rgb, mpp, WORKING_MPP)
    mpp = mpp * rgb.shape[1] / working.shape[1]
    haematoxylin, eosin = (
        np.ascontiguousarray(c) for c in np.moveaxis(stain_density(working), 2, 0)
    )
    # Grey 205 of 255 is an absorbance of 0.095, above the noise of scanners on empty glass.
    white = np.asarray(cv2.cvtColor(working, cv2.COLOR_RGB2GRAY) > 205)
    labels = label_density(haematoxylin, mpp)
    nuclei = measure_nuclei(labels, haematoxylin, mpp)
    return Patch(working, mpp, haematoxylin, eosin, white, labels, nuclei)


def blur(image: Floats, um: float, mpp: float) -> Floats:
    """Gaussian smoothing with a sigma in um."""
    return np.asarray(cv2.GaussianBlur(image, (0, 0), max(um / mpp, 0.2)), dtype=np.float32)


def halve(image: Floats) -> Floats:
    """Half as many pixels in both directions, each the mean of what it covers."""
    height, width = (max(n // 2, 1) for n in image.shape[:2])
    small = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(small, dtype=np.float32)


def ratio(part: float, whole: float) -> float:
    """Part of whole, 0 where there is no whole."""
    return float(part / whole) if whole > 0 else 0.0


def mean_where(values: Floats, where: Mask) -> float:
    """Mean over the pixels of a mask, 0 where it is empty."""
    return float(cv2.mean(values, where.view(np.uint8))[0])
