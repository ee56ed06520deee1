"""A picture of the tissue: which of its px mark tissue, whatever kind of picture it is.

What could be meant in two ways is refused, as is a mask that marks all of the slide.
"""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hespotex.common.errors import InputError, full_cause
from hespotex.sections.images.plain import FORMATS
from hespotex.sections.images.tiff_file import open_tiff
from hespotex.sections.images.tiff_series import slide_levels
from hespotex.sections.tissue.mask import Mask

TIFF = {".tif", ".tiff"}
MOST_PX = 1 << 29
JPEG_HALF = 127  # JPEG is never quite 0 beside an edge
# TIFF's photometric
WHITE_IS_ZERO = 0
BLACK_IS_ZERO = 1
RGB = 2
PALETTE = 3
AS_GREY = "save it as a grey PNG, 0 where there is no tissue"


def marked(path: Path) -> Mask:
    """Where a picture marks tissue, (rows, columns).

    Above 0 is tissue, also in label masks; of indexed pictures by index, of transparent ones where
    they are not; of JPEG above half.

    Raises:
        InputError: no picture, one that could be meant in two ways, or one that is not clear.
    """
    try:
        return _of_tiff(path) if path.suffix.lower() in TIFF else _of_plain(path)
    except InputError:
        raise
    except Exception as error:  # Pillow, tifffile and the codecs have their own
        raise InputError(
            f"{path}: cannot be read as a mask ({full_cause(error)}); expected GeoJSON"
            " (.geojson, .json) or a picture such as PNG"
        ) from error


def check_not_all(tissue: Mask, path: Path) -> None:
    """Refuse a mask that marks the whole slide: nobody draws one, and a background that is not 0
    looks so.
    """
    if tissue.all():
        raise InputError(
            f"{path}: the mask marks the whole slide: is its background not 0? Else {AS_GREY}, or"
            " set tissue.mask=null"
        )


def _check_size(width: int, height: int, path: Path) -> None:
    if width * height > MOST_PX:
        raise InputError(
            f"{path}: a mask of {width} x {height} px is too large to be read; save the mask at a"
            " lower power"
        )


def _of_plain(path: Path) -> Mask:
    with Image.open(path, formats=FORMATS) as file:
        _check_size(*file.size, path)
        if file.mode == "P":
            return _indexed(np.asarray(file), *_palette(file), path)
        if file.format in ("JPEG", "MPO"):
            return np.asarray(np.asarray(file.convert("L")) > JPEG_HALF)
        if "transparency" in file.info or file.mode == "PA":
            values = np.asarray(file.convert("RGBA"))
        elif file.mode in ("1", "L", "I", "I;16", "I;16B", "LA", "RGBA"):
            values = np.asarray(file)
        elif file.mode == "RGB":
            # all 16 bits, where there are
            values = np.asarray(cv2.imread(str(path), cv2.IMREAD_UNCHANGED))
        else:
            raise InputError(f"{path}: a mask in Pillow's mode {file.mode} is not clear; {AS_GREY}")
    return _by_value(values, has_alpha=values.ndim == 3 and values.shape[2] in (2, 4), path=path)


def _palette(file: Any) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Colours (256, 3) and opacity (256,) of the indices."""
    rgb = np.zeros((256, 3), np.uint8)
    colours = np.array(file.getpalette() or [], np.uint8).reshape(-1, 3)
    rgb[: len(colours)] = colours
    alpha = np.full(256, 255, np.uint8)
    clear = file.info.get("transparency")
    if isinstance(clear, int):
        alpha[clear] = 0
    elif clear is not None:
        alpha[: len(clear)] = list(clear)
    return rgb, alpha


def _of_tiff(path: Path) -> Mask:
    with open_tiff(path) as file:
        page: Any = slide_levels(file, path)[0]
        _check_size(int(page.imagewidth), int(page.imagelength), path)
        values = np.asarray(page.asarray())
        extras = len(page.extrasamples)
        photometric = int(page.photometric)
        table = page.colormap
    values = np.moveaxis(values, 0, -1) if page.axes == "SYX" else values
    if photometric == PALETTE and table is not None and values.ndim == 2:
        rgb = (np.asarray(table).T >> 8).astype(np.uint8)
        return _indexed(values, rgb, np.full(len(rgb), 255, np.uint8), path)
    if photometric == WHITE_IS_ZERO:
        raise InputError(
            f"{path}: white is zero in this TIFF, so that 1 looks black: whether black or white is"
            f" tissue is not clear; {AS_GREY} (of a NumPy array: mask.astype('uint8'))"
        )
    if photometric not in (BLACK_IS_ZERO, RGB) or extras > 1 or values.dtype.kind not in "bui":
        raise InputError(
            f"{path}: a mask of {getattr(page.photometric, 'name', photometric)}, {values.dtype},"
            f" {page.samplesperpixel} channels is not clear; {AS_GREY}"
        )
    return _by_value(values, has_alpha=extras == 1, path=path)


def _by_value(values: NDArray[Any], has_alpha: bool, path: Path) -> Mask:
    """Above 0, where it is not transparent; transparency alone where all the colours are black."""
    if values.ndim == 2:
        return np.asarray(values > 0)
    coloured = (values[..., :-1] if has_alpha else values).max(axis=2) > 0
    if not has_alpha:
        return np.asarray(coloured)
    opaque = values[..., -1] > 0
    if not opaque.any():
        raise InputError(f"{path}: the mask is wholly transparent; {AS_GREY}")
    if not opaque.all() and not coloured[opaque].any():
        return np.asarray(opaque)
    return np.asarray(opaque & coloured)


def _indexed(
    index: NDArray[Any], rgb: NDArray[np.uint8], alpha: NDArray[np.uint8], path: Path
) -> Mask:
    """Index 0 is the background, and so is what is transparent; black must be no other than index
    0.
    """
    used = np.unique(index)
    if (alpha[used] == 0).any() and (alpha[used] > 0).any():
        return np.asarray(alpha[index] > 0)
    black = (rgb[used] == 0).all(axis=1)
    if black.any() and not np.array_equal(black, used == 0):
        colours = ", ".join(f"{i}: {tuple(int(v) for v in rgb[i])}" for i in used[:4])
        raise InputError(
            f"{path}: of an indexed mask index 0 is the background, but so is black, found"
            f" {colours}; {AS_GREY}"
        )
    return np.asarray(index > 0)
