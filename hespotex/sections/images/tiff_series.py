"""Which of a TIFF's pages is the slide: not its label, its overview or one plane of a stack."""

import logging
from pathlib import Path
from typing import Any

from hespotex.common.errors import InputError
from hespotex.sections.images.limits import check_page

log = logging.getLogger(__name__)
ONE_PICTURE = {"YX", "YXS", "SYX"}
AXES = {
    "Z": "a Z-stack",
    "T": "a time series",
    "C": "channels",
    "Q": "pages",
    "I": "pages",
    "S": "samples",
}
EXTRA_SHARE = 0.25  # of the slide's area: labels, macros and thumbnails have less
SHAPE_TOLERANCE = 0.05  # between the levels of a pyramid, which are rounded
SAVE_ONE = "save the one to use as a TIFF of its own"


def slide_levels(file: Any, path: Path) -> list[Any]:
    """The pages of the pyramid of the largest picture, full resolution first.

    Raises:
        InputError: no picture, several that could be the slide, a stack, or sizes that cannot be.
    """
    series = [one for one in file.series if len(one.levels) and len(one.levels[0].pages)]
    if not series:
        raise InputError(f"{path}: holds no picture; is the file whole?")
    slide = max(series, key=_area)
    _check_alone(slide, series, path)
    _check_flat(slide, path)
    if slide is not series[0]:
        width, height = _size(slide)
        log.info(
            "%s: its first picture is an overview; the one of %d x %d px is read",
            path,
            width,
            height,
        )
    pages = [level.pages[0] for level in slide.levels]
    for page in pages:
        check_page(page, path)
    return [page for page in pages if _is_level(page, pages[0])]


def _size(series: Any) -> tuple[int, int]:
    page = series.levels[0].pages[0]
    return int(page.imagewidth), int(page.imagelength)


def _area(series: Any) -> int:
    width, height = _size(series)
    return width * height


def _check_alone(slide: Any, series: list[Any], path: Path) -> None:
    """Refuse a second picture that could be the slide; a smaller copy of it is a level or a
    thumbnail.
    """
    if slide.kind == "svs":
        return
    width, height = _size(slide)
    for other in series:
        if other is slide or _area(other) <= EXTRA_SHARE * width * height:
            continue
        other_width, other_height = _size(other)
        same_shape = abs(other_width * height / (other_height * width or 1) - 1) < SHAPE_TOLERANCE
        if not same_shape or other_width == width:
            raise InputError(
                f"{path}: expected one picture, found one of {width} x {height} px and one of"
                f" {other_width} x {other_height} px: several scenes, planes or channels?"
                f" {SAVE_ONE[0].upper()}{SAVE_ONE[1:]}"
            )


def _check_flat(slide: Any, path: Path) -> None:
    """Refuse planes beside or behind each other."""
    axes = "".join(str(axis) for axis in slide.levels[0].axes)
    if axes in ONE_PICTURE and len(slide.levels[0].pages) == 1:
        return
    further = [AXES.get(axis, f"axis {axis}") for axis in axes if axis not in "YXS"] or ["pages"]
    shape = " x ".join(str(n) for n in slide.levels[0].shape)
    raise InputError(
        f"{path}: expected one picture of interleaved channels, found"
        f" {' and '.join(dict.fromkeys(further))}: axes {axes}, {shape}; {SAVE_ONE} (of a Z-stack"
        " the plane in focus; of red, green and blue channels an RGB image)"
    )


def _is_level(page: Any, full: Any) -> bool:
    """Whether a page is a smaller copy of the whole slide."""
    scale = full.imagewidth / page.imagewidth
    return abs(full.imagelength / scale - page.imagelength) <= max(
        2, SHAPE_TOLERANCE * page.imagelength
    )
