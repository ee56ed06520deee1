"""What colour tells at low power: stained, bare glass, or ink."""

import cv2
import numpy as np
from numpy.typing import NDArray

from hespotex.sections.tissue.mask import Mask

Picture = NDArray[np.uint8]  # RGB (rows, columns, 3)
OTSU_SHARE = 0.75  # of Otsu's threshold: pale stroma lies between glass and the rest
# of 255: below the first there is no colour to tell tissue by, above the second it is no glass
SATURATION = (12, 45)
# H and E both absorb green most; ink that absorbs red more is green, cyan or blue
INK_RATIO = 1.2
INK_OFFSET = 0.03
# of 255: darker and greyer than the densest nuclei
BLACK_VALUE = 80
BLACK_CHROMA = 20
_OPTICAL_DENSITY = -np.log10((np.arange(256, dtype=np.float32) + 1) / 256)


def ink(picture: Picture) -> Mask:
    """Pixels of green, blue or black ink, and of black borders. Red ink is not told from blood and
    eosin.
    """
    red = _OPTICAL_DENSITY[picture[..., 0]]
    green = _OPTICAL_DENSITY[picture[..., 1]]
    value = picture.max(axis=2)
    lowest = picture.min(axis=2)
    black = (value < BLACK_VALUE) & (value - lowest < BLACK_CHROMA)
    return np.asarray((red > INK_RATIO * green + INK_OFFSET) | black)


def stained(picture: Picture, usable: Mask) -> Mask:
    """Coloured pixels, by Otsu's threshold on the saturation of the `usable` ones."""
    saturation = cv2.cvtColor(picture, cv2.COLOR_RGB2HSV)[..., 1]
    if not usable.any():
        return usable
    otsu, _ = cv2.threshold(saturation[usable], 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    return np.asarray(usable & (saturation > np.clip(otsu * OTSU_SHARE, *SATURATION)))
