"""JPEG and PNG: decoded once, as these formats give no access by region."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Image.MAX_IMAGE_PIXELS = None  # sections are larger than Pillow's guard against decompression bombs


class PlainImage:
    """A whole image in memory (3 bytes a pixel)."""

    def __init__(self, path: Path) -> None:
        with Image.open(path) as file:
            self._pixels = np.asarray(file.convert("RGB"))
        self.size = (self._pixels.shape[1], self._pixels.shape[0])
        self.downsamples = [1.0]
        self.mpp: float | None = None  # dpi tags of JPEG and PNG are defaults, not rulers

    def read(self, level: int, x: int, y: int, width: int, height: int) -> NDArray[np.uint8]:
        return self._pixels[y : y + height, x : x + width]


def plain_size(path: Path) -> tuple[int, int] | None:
    """Width and height from the header alone; None where it cannot be read."""
    try:
        with Image.open(path) as file:
            return file.size
    except OSError:  # Pillow's error for a broken header is one too
        return None
