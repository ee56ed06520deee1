"""What the numbers of a picture mean: every colour space to RGB with white glass, or refused in
words.

ICC profiles of RGB and grey pictures are not applied, as nowhere in this field; those of CMYK are
needed and refused.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hespotex.common.errors import InputError

Samples = NDArray[Any]  # (rows, columns, samples) as stored
Rgb = NDArray[np.uint8]  # (rows, columns, 3)
CONVERT = "convert it to 8-bit RGB, for example with `vips colourspace IN OUT.tif srgb`"
HALF_OF_16 = 1 << 15
# TIFF's photometric
WHITE_IS_ZERO = 0
BLACK_IS_ZERO = 1
RGB = 2
PALETTE = 3
CMYK = 5
YCBCR = 6
CIELAB = 8
ICCLAB = 9
JPEG = {6, 7, 34892, 33007}  # TIFF's compression: the decoder turns YCbCr into RGB
LOSSLESS = {1, 5, 8, 32773, 32946, 34925, 50000}
APERIO_YCBCR = 33003
# TIFF's extra samples
UNSPECIFIED = 0
PREMULTIPLIED = 1
STRAIGHT = 2
FULL_RANGE = (0, 255, 128, 255, 128, 255)  # reference black and white of YCbCr
LUMA = (0.299, 0.587, 0.114)  # shares of red, green and blue in Y
RATIONAL = (5, 10)  # TIFF's types
XYZ_WHITE = np.array([0.96422, 1.0, 0.82521])  # D50
XYZ_TO_SRGB = np.array(  # Bradford-adapted to D65
    [
        [3.1338561, -1.6168667, -0.4906146],
        [-0.9787684, 1.9161415, 0.0334540],
        [0.0719453, -0.2289914, 1.4052427],
    ]
)


@dataclass(frozen=True)
class PageColours:
    """How the samples of a TIFF page become RGB.

    `top`: the sample that stands for full scale; `n_colours`: samples that are colours; `extra`:
    what the sample after them is (TIFF's number), None where there is none.
    """

    path: Any
    top: int
    n_colours: int
    extra: int | None
    to_rgb: Callable[[Samples], Rgb]

    def __call__(self, samples: Samples) -> Rgb:
        """RGB over white of (rows, columns, samples).

        Raises:
            InputError: a fourth sample of which the file does not tell what it is.
        """
        rgb = self.to_rgb(samples[..., : self.n_colours])
        if self.extra is None:
            return rgb
        alpha = to_8_bit(samples[..., self.n_colours :][..., :1], self.top)
        if self.extra == PREMULTIPLIED:
            return np.asarray(
                np.minimum(rgb.astype(np.uint16) + (255 - alpha), 255), dtype=np.uint8
            )
        if self.extra == UNSPECIFIED:
            self._check_unused(alpha)
            return rgb
        return over_white(rgb, alpha)

    def _check_unused(self, alpha: Rgb) -> None:
        if alpha.size and alpha.min() != alpha.max():
            raise InputError(
                f"{self.path}: a sample beside the colours varies, and the file does not tell"
                f" whether it is transparency; {CONVERT}"
            )


def page_colours(page: Any, path: Any, brightest: Callable[[], int]) -> PageColours:
    """How a TIFF page is to be read.

    Args:
        page: tifffile's.
        path: for messages.
        brightest: gives the largest sample, asked for only where the depth does not tell full
          scale.

    Raises:
        InputError: colours that are not clear, such as more channels than three.
    """
    depth = _depth(page, path)
    extras = [int(kind) for kind in page.extrasamples]
    n_colours = int(page.samplesperpixel) - len(extras)
    photometric = int(page.photometric)
    if photometric in (RGB, YCBCR, CIELAB, ICCLAB) and n_colours > 3:
        extras += [UNSPECIFIED] * (n_colours - 3)
        n_colours = 3
    _check_samples(page, path, photometric, n_colours, extras)
    top = depth if photometric == PALETTE else _full_scale(page, path, depth, brightest)
    to_rgb = _conversion(page, path, photometric, top)
    return PageColours(path, top, n_colours, extras[0] if extras else None, to_rgb)


def _depth(page: Any, path: Any) -> int:
    """The largest number that the samples could hold."""
    bits = page.bitspersample
    unsigned = page.dtype is not None and page.dtype.kind in "bu"
    if not unsigned or not isinstance(bits, int) or not 1 <= bits <= 16:
        raise InputError(
            f"{path}: expected 8-bit RGB or grey, found {page.dtype or 'samples'} of {bits} bits;"
            f" {CONVERT}"
        )
    return (1 << bits) - 1


def _check_samples(
    page: Any, path: Any, photometric: int, n_colours: int, extras: list[int]
) -> None:
    expected = {
        WHITE_IS_ZERO: 1,
        BLACK_IS_ZERO: 1,
        RGB: 3,
        PALETTE: 1,
        CMYK: 4,
        YCBCR: 3,
        CIELAB: 3,
        ICCLAB: 3,
    }
    name = getattr(page.photometric, "name", page.photometric)
    if photometric not in expected:
        raise InputError(f"{path}: expected RGB or grey, found the colour space {name}; {CONVERT}")
    if n_colours != expected[photometric] or len(extras) > 1:
        raise InputError(
            f"{path}: expected RGB or grey, found {page.samplesperpixel} channels of {name};"
            " fluorescence is not H&E, and of other channels it is not told which are red, green"
            f" and blue; {CONVERT}"
        )
    if extras and (photometric in (CMYK, YCBCR, CIELAB, ICCLAB) or page.compression in JPEG):
        raise InputError(
            f"{path}: {name} with a further sample, of which it is not clear what it means;"
            f" {CONVERT}"
        )


def _full_scale(page: Any, path: Any, depth: int, brightest: Callable[[], int]) -> int:
    """The sample that stands for white; 16 bits are often 10, 12 or 14."""
    if depth < (1 << 16) - 1:
        return depth
    for tag in ("SMaxSampleValue", "MaxSampleValue"):
        value = page.tags.get(tag)
        white = int(np.max(value.value)) if value is not None else 0
        if white > 255:
            return int((1 << white.bit_length()) - 1)
    return full_scale_of_16(brightest(), path)


def full_scale_of_16(brightest: int, path: Any) -> int:
    """65535, where the brightest sample leaves no doubt.

    Raises:
        InputError: it is so dark that the samples may have fewer bits.
    """
    if brightest < HALF_OF_16:
        raise InputError(
            f"{path}: expected 8-bit RGB or grey, found uint16 of which no sample is above"
            f" {brightest}: are they 12 bits in 16? Scale it and {CONVERT}"
        )
    return (1 << 16) - 1


def _conversion(page: Any, path: Any, photometric: int, top: int) -> Callable[[Samples], Rgb]:
    if photometric == RGB and page.compression != APERIO_YCBCR:
        return partial(to_8_bit, top=top)
    if photometric in (WHITE_IS_ZERO, BLACK_IS_ZERO):
        return partial(_grey, top=top, inverted=photometric == WHITE_IS_ZERO)
    if photometric == PALETTE:
        return partial(_looked_up, table=_colour_table(page, path))
    if photometric == YCBCR and page.compression in JPEG and page.planarconfig == 1:
        return partial(to_8_bit, top=top)
    return _converted(page, path, photometric, top)


def _converted(page: Any, path: Any, photometric: int, top: int) -> Callable[[Samples], Rgb]:
    """Colour spaces that are clear only where they are stored without loss."""
    name = getattr(page.photometric, "name", page.photometric)
    if (
        page.compression not in LOSSLESS
        or page.is_subsampled
        or (photometric != CMYK and top != 255)
    ):
        raise InputError(
            f"{path}: {name} with {top.bit_length()} bits and compression"
            f" {getattr(page.compression, 'name', page.compression)} is not clear; {CONVERT}, or"
            " give an Aperio file its ending .svs"
        )
    if photometric == CMYK:
        if "InterColorProfile" in page.tags or page.tags.valueof("InkSet", 1) != 1:
            raise InputError(f"{path}: CMYK with a colour profile or inks of its own; {CONVERT}")
        return partial(_cmyk, top=top)
    if photometric == YCBCR:
        return partial(_ycbcr, red_blue=_luma(page, path))
    return partial(_lab, offset=0 if photometric == CIELAB else 128)


def to_8_bit(samples: Samples, top: int) -> Rgb:
    """Samples from 0 to `top` as 0 to 255; 8 bits stay as they are."""
    if top == 255:
        return np.asarray(samples, dtype=np.uint8)
    scaled = (np.minimum(samples.astype(np.uint32), top) * 255 + top // 2) // top
    return scaled.astype(np.uint8)


def over_white(rgb: Rgb, alpha: Rgb) -> Rgb:
    """Transparent px (`alpha` (rows, columns, 1) below 255) shine through to white glass."""
    weight = alpha.astype(np.uint16)
    return ((rgb * weight + 255 * (255 - weight)) // 255).astype(np.uint8)


def _grey(samples: Samples, top: int, inverted: bool) -> Rgb:
    grey = to_8_bit(samples, top)
    return np.repeat(255 - grey if inverted else grey, 3, axis=2)


def _looked_up(samples: Samples, table: Rgb) -> Rgb:
    return table[np.minimum(samples[..., 0].astype(np.intp), len(table) - 1)]


def _colour_table(page: Any, path: Any) -> Rgb:
    table = page.colormap
    if table is None or np.ndim(table) != 2 or len(table) != 3:
        raise InputError(f"{path}: indexed colours without their table; {CONVERT}")
    shift = 8 if np.max(table) > 255 else 0  # some writers fill the lower byte only
    return np.asarray(np.asarray(table).T >> shift, dtype=np.uint8)


def _cmyk(samples: Samples, top: int) -> Rgb:
    """Each ink lets through what it leaves."""
    inks = 255 - to_8_bit(samples, top).astype(np.uint16)
    return ((inks[..., :3] * inks[..., 3:] + 127) // 255).astype(np.uint8)


def _luma(page: Any, path: Any) -> tuple[float, float]:
    """Shares of red and blue in Y.

    Raises:
        InputError: a range of values that is not the full one.
    """
    limits = _fractions(page, "ReferenceBlackWhite", FULL_RANGE)
    if not np.allclose(limits, FULL_RANGE, atol=1):
        raise InputError(f"{path}: YCbCr in a reduced range of values; {CONVERT}")
    red, _, blue = _fractions(page, "YCbCrCoefficients", LUMA)
    return red, blue


def _fractions(page: Any, name: str, default: tuple[float, ...]) -> list[float]:
    """The values of a tag; TIFF's rationals come as one flat row of numerators and denominators."""
    tag = page.tags.get(name)
    if tag is None:
        return list(default)
    values = [float(value) for value in tag.value]
    if int(tag.dtype) not in RATIONAL:
        return values
    return [a / (b or 1) for a, b in zip(values[::2], values[1::2], strict=True)]


def _ycbcr(samples: Samples, red_blue: tuple[float, float]) -> Rgb:
    red, blue = red_blue
    y, cb, cr = (
        samples[..., i].astype(np.float32) - offset for i, offset in enumerate((0, 128, 128))
    )
    r = y + (2 - 2 * red) * cr
    b = y + (2 - 2 * blue) * cb
    g = (y - red * r - blue * b) / (1 - red - blue)
    return _rounded(np.stack([r, g, b], axis=-1))


def _lab(samples: Samples, offset: int) -> Rgb:
    """CIELAB (D50; `offset` 0: a and b are signed) to sRGB."""
    signed = samples[..., 1:].astype(np.int16) - offset
    signed = np.where((offset == 0) & (signed > 127), signed - 256, signed)
    f_y = (samples[..., 0] * (100 / 255) + 16) / 116
    f = np.stack([f_y + signed[..., 0] / 500, f_y, f_y - signed[..., 1] / 200], axis=-1)
    xyz = np.where(f > 6 / 29, f**3, 3 * (6 / 29) ** 2 * (f - 4 / 29)) * XYZ_WHITE
    linear = np.clip(xyz @ XYZ_TO_SRGB.T, 0, 1)
    return _rounded(
        255 * np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    )


def _rounded(values: NDArray[Any]) -> Rgb:
    return np.clip(np.round(values), 0, 255).astype(np.uint8)
