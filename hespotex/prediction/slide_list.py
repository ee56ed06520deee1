"""Which slides are to be predicted."""

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hespotex.common.errors import InputError
from hespotex.common.files import safe_name
from hespotex.common.typed_paths import matching_paths, typed_path
from hespotex.common.user_table import normal, read_user_table

TABLES = (".csv", ".tsv", ".txt", ".csv.gz")
OTHER_NAMES = {
    "path": ("slide", "filename", "file", "wsi", "image", "slide_path"),
    "mpp": ("um_per_px", "microns_per_pixel", "pixel_size_um", "mpp_x"),
}
KNOWN = {name for key, others in OTHER_NAMES.items() for name in (key, *others)}
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SlideFile:
    """A slide, and its um per px where the list tells it."""

    path: Path
    mpp: float | None = None

    @property
    def name(self) -> str:
        return safe_name(self.path.stem)


def find_slides(wanted: str | list[str]) -> list[SlideFile]:
    """Slides that a path, a glob, a CSV (`path`, and `mpp` if known), or a list of these name.

    Raises:
        InputError: there is none, or two have the same name and would get the same outputs.
    """
    patterns = [wanted] if isinstance(wanted, str) else list(wanted)
    found: dict[Path, SlideFile] = {}
    for pattern in patterns:
        for slide in (
            _from_table(typed_path(pattern))
            if pattern.lower().endswith(TABLES)
            else _from_glob(pattern)
        ):
            found[slide.path] = _same(found.get(slide.path, slide), slide)
    if not found:
        raise InputError(
            f"no slide matches {', '.join(patterns)}; set slides=PATH, slides='FOLDER/*.svs',"
            " slides=LIST.csv or [A,B]"
        )
    slides = [found[path] for path in sorted(found)]
    _check_names(slides)
    return slides


def _same(one: SlideFile, other: SlideFile) -> SlideFile:
    """A slide that is named twice: with the pixel size that either tells.

    Raises:
        InputError: two pixel sizes.
    """
    if one.mpp is None or other.mpp is None:
        return other if one.mpp is None else one
    if one.mpp != other.mpp:
        raise InputError(
            f"{one.path}: listed twice, with {one.mpp:g} and {other.mpp:g} um per px; leave one of"
            " them (slides)"
        )
    return one


def _from_glob(pattern: str) -> list[SlideFile]:
    return [SlideFile(path) for path in matching_paths(pattern)]


def _from_table(file: Path) -> list[SlideFile]:
    """Relative paths are relative to the table."""
    if not file.is_file():
        raise InputError(
            f"list of slides not found: {file}; set slides=LIST.csv with a column path, and mpp if"
            " known"
        )
    table = read_user_table(file, "slides", ["path"], OTHER_NAMES, ["mpp"])
    if unread := [name for name in table.header if normal(name) not in KNOWN]:
        log.info(
            "%s: columns that are not read: %s; known are path and mpp (um per px)",
            file,
            ", ".join(unread),
        )
    paths = [file.parent / typed_path(text) for text in table.text("path")]
    if "mpp" not in table:
        return [SlideFile(path) for path in paths]
    sizes = table.numbers("mpp", "um", blank=True)
    return [
        SlideFile(path, None if np.isnan(size) else float(size))
        for path, size in zip(paths, sizes, strict=True)
    ]


def _check_names(slides: list[SlideFile]) -> None:
    first: dict[str, Path] = {}
    for slide in slides:
        other = first.setdefault(slide.name.casefold(), slide.path)
        if other != slide.path:
            raise InputError(
                f"{other} and {slide.path} would both be written as {slide.name}; predict them into"
                " two outputs"
            )
