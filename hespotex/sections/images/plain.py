"""JPEG, PNG and BMP: decoded once, as these formats give no access by region."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hespotex.common.errors import InputError
from hespotex.sections.images.colour_spaces import CONVERT, full_scale_of_16, over_white, to_8_bit
from hespotex.sections.images.limits import ORIENTATION, check_decoded, tell_orientation

# sections are larger than Pillow's guard against decompression bombs; see `limits`
Image.MAX_IMAGE_PIXELS = None
FORMATS = ("JPEG", "PNG", "BMP")  # whatever the ending says
OPAQUE = ("1", "L", "P", "RGB", "CMYK", "YCbCr")
TRANSPARENT = ("LA", "PA", "RGBA")
PNG_DEPTH = slice(24, 25)  # of the file: bits a sample
STRIP = 32  # rows


class PlainImage:
    """A whole image in memory (3 bytes a pixel)."""

    origin = (0, 0)

    def __init__(self, path: Path) -> None:
        with Image.open(path, formats=FORMATS) as file:
            _check(file, path)
            tell_orientation(file.getexif().get(ORIENTATION), path)
            self._pixels = _deep(path) if _is_deep(file, path) else _rgb(file, path)
        self.size = (self._pixels.shape[1], self._pixels.shape[0])
        self.scanned = self.size
        self.downsamples = [1.0]
        self.mpp: float | None = None  # dpi tags of JPEG and PNG are defaults, not rulers
        self.mpp_words = ""

    def read(self, level: int, x: int, y: int, width: int, height: int) -> NDArray[np.uint8]:
        """A view of the pixels in memory; `level` is 0, as there is no other."""
        return self._pixels[y : y + height, x : x + width]


def plain_size(path: Path) -> tuple[int, int] | None:
    """Width and height from the header alone; None where it cannot be read.

    Raises:
        InputError: a size that cannot be, or more than one picture.
    """
    try:
        with Image.open(path, formats=FORMATS) as file:
            _check(file, path)
            return file.size
    except InputError:
        raise
    except (OSError, SyntaxError, ValueError):  # Pillow's errors for a broken header
        return None


def reduced_jpeg(path: Path, longest: int) -> tuple[NDArray[np.uint8], tuple[int, int]] | None:
    """A JPEG decoded at a half, quarter or eighth, with no side below `longest` px, and its full
    size: five times faster than in full. None where it is no JPEG, or a broken one.

    Raises:
        InputError: as of the whole image.
    """
    try:
        with Image.open(path, formats=("JPEG",)) as file:
            _check(file, path)
            size = file.size
            file.draft(None, (longest, longest))
            return _rgb(file, path), size
    except InputError:
        raise
    except (OSError, SyntaxError, ValueError):  # opened in full, the error is told in words
        return None


def _check(file: Any, path: Path) -> None:
    """Refuse what is too large, or more than one picture."""
    width, height = file.size
    check_decoded(width, height, path.stat().st_size, path)
    if file.format == "PNG" and getattr(file, "n_frames", 1) > 1:
        raise InputError(f"{path}: expected one picture, found an animation; save the frame to use")


def _is_deep(file: Any, path: Path) -> bool:
    """Whether it is a PNG of 16 bits a sample, which Pillow would cut to 8."""
    if file.format != "PNG":
        return False
    with path.open("rb") as head:
        return head.read(PNG_DEPTH.stop)[PNG_DEPTH] == b"\x10"


def _deep(path: Path) -> NDArray[np.uint8]:
    samples: Any = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if samples is None:
        raise InputError(f"{path}: cannot be read as a PNG of 16 bits; is the file whole?")
    samples = samples[..., None] if samples.ndim == 2 else samples
    colours = samples[..., 2::-1] if samples.shape[2] > 2 else samples[..., [0, 0, 0]]
    pixels = to_8_bit(colours, full_scale_of_16(int(colours.max(initial=0)), path))
    has_alpha = samples.shape[2] in (2, 4)
    return over_white(pixels, to_8_bit(samples[..., -1:], (1 << 16) - 1)) if has_alpha else pixels


def _rgb(file: Any, path: Path) -> NDArray[np.uint8]:
    if file.mode == "CMYK" and "icc_profile" in file.info:
        raise InputError(f"{path}: CMYK with a colour profile; {CONVERT}")
    if file.mode in TRANSPARENT or "transparency" in file.info:
        rgba = np.asarray(file.convert("RGBA"))
        return over_white(rgba[..., :3], rgba[..., 3:])
    if file.mode not in OPAQUE:
        raise InputError(
            f"{path}: expected RGB or grey, found Pillow's mode {file.mode}; {CONVERT}"
        )
    return _opaque(file)


def _opaque(file: Any) -> NDArray[np.uint8]:
    """Strip by strip: `np.asarray` of a whole image holds it three times."""
    file.load()
    width, height = file.size
    is_rgb = file.mode == "RGB"
    pixels = np.empty((height, width, 3), np.uint8)
    for top in range(0, height, STRIP):
        strip = file.crop((0, top, width, min(top + STRIP, height)))
        pixels[top : top + STRIP] = np.asarray(strip if is_rgb else strip.convert("RGB"))
    return pixels
