"""Scanner formats through OpenSlide."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray


class SlideImage:
    """A whole-slide image; transparent areas become white glass."""

    def __init__(self, path: Path) -> None:
        import openslide

        self._slide = openslide.OpenSlide(path)
        self.size = self._slide.dimensions
        self.downsamples = [float(scale) for scale in self._slide.level_downsamples]
        mpp = self._slide.properties.get(openslide.PROPERTY_NAME_MPP_X)
        self.mpp = float(mpp) if mpp else None

    def read(self, level: int, x: int, y: int, width: int, height: int) -> NDArray[np.uint8]:
        scale = self.downsamples[level]
        rgba = np.asarray(self._slide.read_region((round(x * scale), round(y * scale)), level, (width, height)))
        alpha = rgba[..., 3:].astype(np.uint16)
        return ((rgba[..., :3] * alpha + 255 * (255 - alpha)) // 255).astype(np.uint8)
