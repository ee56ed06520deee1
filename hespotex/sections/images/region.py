"""One way to read any image: rectangles of RGB at a pyramid level."""

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from hespotex.common.errors import InputError, full_cause

OPENSLIDE = {".svs", ".ndpi", ".mrxs", ".scn", ".bif", ".vms", ".vmu", ".svslide"}
TIFF = {".tif", ".tiff", ".btf"}
BAND_BYTES = 96 << 20  # of pixels decoded at a time for a thumbnail
OPEN_IMAGES = 2  # kept open: a decoded JPEG takes 3 bytes a pixel
PLAIN = {".jpg", ".jpeg", ".png", ".bmp"}
TIFF_MAGIC = {b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"}


class RegionReader(Protocol):
    """An opened image. `downsamples[level]` is level-0 px per px of that level; level 0 is full
    resolution.

    `origin` is the corner of the scanned area, from which QuPath counts; all else counts from the
    corner of the canvas.
    """

    size: tuple[int, int]  # width, height in level-0 px
    downsamples: list[float]
    # um per level-0 px as the file claims, None if it does not, or nothing believable
    mpp: float | None
    mpp_words: str  # where it claims something of no use: what
    origin: tuple[int, int]  # level-0 px, x then y
    scanned: tuple[int, int]  # width and height of the scanned area

    def read(self, level: int, x: int, y: int, width: int, height: int) -> NDArray[np.uint8]:
        """The part of a rectangle (in px of `level`) that lies inside: RGB (rows, columns, 3)."""
        ...


def open_image(path: Path) -> RegionReader:
    """Open an image; opened anew in each process, shared inside one.

    Raises:
        InputError: no such file, an unknown format, or a file that cannot be decoded.
    """
    _check_there(path)
    return _open(path, path.stat().st_mtime_ns)


def _check_there(path: Path) -> None:
    if not path.is_file():
        raise InputError(f"image not found: {path}")


def image_facts(path: Path) -> tuple[tuple[int, int], float | None]:
    """Width and height in level-0 px, and the pixel size (um per px) that the file tells; no JPEG
    is decoded for it.
    """
    if path.suffix.lower() in PLAIN:
        from hespotex.sections.images.plain import plain_size

        size = plain_size(path)
        return (size, None) if size else (open_image(path).size, None)
    image = open_image(path)
    return image.size, image.mpp


@lru_cache(maxsize=OPEN_IMAGES)
def _open(path: Path, _modified: int) -> RegionReader:
    from hespotex.sections.images.plain import PlainImage
    from hespotex.sections.images.slide import SlideImage
    from hespotex.sections.images.tiff import TiffImage

    suffix = ".tif" if _is_tiff(path) and path.suffix.lower() in PLAIN else path.suffix.lower()
    kinds: dict[str, Callable[[Path], RegionReader]] = {
        **dict.fromkeys(OPENSLIDE, SlideImage),
        **dict.fromkeys(TIFF, TiffImage),
        **dict.fromkeys(PLAIN, PlainImage),
    }
    if suffix not in kinds:
        raise InputError(
            f"{path}: unknown image format {suffix!r}; known are {', '.join(sorted(kinds))}"
        )
    try:
        return kinds[suffix](path)
    except InputError:
        raise
    except Exception as error:  # every library has its own errors for a broken file
        raise InputError(
            f"{path}: cannot be read as an image ({full_cause(error)}); is the file whole?"
        ) from error


def _is_tiff(path: Path) -> bool:
    """Whether the content says so, whatever the name."""
    with path.open("rb") as file:
        return file.read(4) in TIFF_MAGIC


def read_padded(
    image: RegionReader, level: int, x: int, y: int, width: int, height: int
) -> NDArray[np.uint8]:
    """A rectangle (px of `level`) as RGB (height, width, 3); beyond the border the image is
    mirrored.
    """
    w, h = level_size(image, level)
    left = max(x, 0)
    top = max(y, 0)
    right = min(x + width, w)
    bottom = min(y + height, h)
    if right <= left or bottom <= top:
        return np.full((height, width, 3), 255, dtype=np.uint8)
    inside = image.read(level, left, top, right - left, bottom - top)
    if inside.shape[:2] == (height, width):
        return inside
    pad = (top - y, y + height - bottom, left - x, x + width - right)
    return np.asarray(
        cv2.copyMakeBorder(inside, *pad, borderType=cv2.BORDER_REFLECT_101), dtype=np.uint8
    )


def level_size(image: RegionReader, level: int) -> tuple[int, int]:
    """Width and height of a level in its own px."""
    scale = image.downsamples[level]
    return round(image.size[0] / scale), round(image.size[1] / scale)


def best_level(image: RegionReader, downsample: float) -> int:
    """The coarsest level that is still at least as fine as `downsample` (level-0 px per wanted
    px).
    """
    fine = [level for level, scale in enumerate(image.downsamples) if scale <= downsample * 1.001]
    return max(fine, key=lambda level: image.downsamples[level], default=0)


def thumbnail_of(path: Path, longest: int) -> tuple[NDArray[np.uint8], float]:
    """`thumbnail` of an image file, decoded once while it does not change; not to be written to."""
    _check_there(path)
    facts = path.stat()
    return _thumbnail_of(path, longest, facts.st_size, facts.st_mtime_ns)


@lru_cache(maxsize=64)
def _thumbnail_of(
    path: Path, longest: int, _size: int, _modified: int
) -> tuple[NDArray[np.uint8], float]:
    from hespotex.sections.images.plain import reduced_jpeg

    if reduced := reduced_jpeg(path, longest):
        pixels, size = reduced
        scale = min(1.0, longest / max(size))
        picture = np.asarray(cv2.resize(pixels, _scaled(size, scale), interpolation=cv2.INTER_AREA))
    else:
        picture, scale = thumbnail(open_image(path), longest)
    picture.flags.writeable = False
    return picture, scale


def _scaled(size: tuple[int, int], scale: float) -> tuple[int, int]:
    """Width and height, at least a pixel each."""
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def thumbnail(image: RegionReader, longest: int) -> tuple[NDArray[np.uint8], float]:
    """The whole image with its longer side at most `longest` px, and its scale (thumbnail px per
    level-0 px).
    """
    scale = min(1.0, longest / max(image.size))
    level = best_level(image, 1 / scale)
    width, height = level_size(image, level)
    target = _scaled(image.size, scale)
    shrink = height / target[1]
    # in bands: a plain TIFF without a pyramid stays within memory
    rows = max(1, int(BAND_BYTES / (3 * width * shrink)))
    bands = []
    for top in range(0, target[1], rows):
        bottom = min(top + rows, target[1])
        first = round(top * shrink)
        last = round(bottom * shrink)
        band = image.read(level, 0, first, width, last - first)
        bands.append(cv2.resize(band, (target[0], bottom - top), interpolation=cv2.INTER_AREA))
    return np.asarray(np.concatenate(bands), dtype=np.uint8), scale
