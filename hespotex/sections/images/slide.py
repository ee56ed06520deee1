"""Scanner formats through OpenSlide."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hespotex.sections.images.colour_spaces import over_white
from hespotex.sections.images.pixel_size import Statement, choose


class SlideImage:
    """A whole-slide image; transparent areas become white glass."""

    def __init__(self, path: Path) -> None:
        import openslide

        self._slide = openslide.OpenSlide(path)
        facts = self._slide.properties
        self.size = self._slide.dimensions
        self.downsamples = [float(scale) for scale in self._slide.level_downsamples]
        x, y = (
            facts.get(name)
            for name in (openslide.PROPERTY_NAME_MPP_X, openslide.PROPERTY_NAME_MPP_Y)
        )
        statements = [Statement(float(x), float(y) if y else None, "scanner's mpp")] if x else []
        self.mpp, self.mpp_words = choose(statements, path)
        corner = (
            facts.get(name)
            for name in (openslide.PROPERTY_NAME_BOUNDS_X, openslide.PROPERTY_NAME_BOUNDS_Y)
        )
        left, top = (int(value or 0) for value in corner)
        self.origin = (left, top)
        sides = (
            facts.get(name)
            for name in (
                openslide.PROPERTY_NAME_BOUNDS_WIDTH,
                openslide.PROPERTY_NAME_BOUNDS_HEIGHT,
            )
        )
        width, height = (int(value or side) for value, side in zip(sides, self.size, strict=True))
        self.scanned = (width, height)

    def read(self, level: int, x: int, y: int, width: int, height: int) -> NDArray[np.uint8]:
        """RGB (height, width, 3) as OpenSlide decodes it, laid over white."""
        scale = self.downsamples[level]
        rgba = np.asarray(
            self._slide.read_region((round(x * scale), round(y * scale)), level, (width, height))
        )
        return over_white(rgba[..., :3], rgba[..., 3:])
