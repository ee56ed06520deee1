"""Which slides are to be predicted."""

import logging
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from hespotex.common.counted import counted
from hespotex.common.errors import InputError
from hespotex.common.files import safe_name, visible
from hespotex.common.typed_paths import matching_paths, typed_path
from hespotex.common.user_table import normal, read_user_table
from hespotex.sections.ids import name_of
from hespotex.sections.images.region import OPENSLIDE, PLAIN, TIFF

SLIDES = OPENSLIDE | TIFF | PLAIN  # endings, in lower case
TABLES = (".csv", ".tsv", ".txt", ".csv.gz")
OTHER_NAMES = {
    "path": ("slide", "filename", "file", "wsi", "image", "slide_path"),
    "mpp": ("um_per_px", "microns_per_pixel", "pixel_size_um", "mpp_x"),
}
KNOWN = {name for key, others in OTHER_NAMES.items() for name in (key, *others)}
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SlideFile:
    """A slide.

    Attributes:
        path: of the image.
        mpp: um per px, where the list tells it.
        told_as: what its outputs are called where its own name will not do.
    """

    path: Path
    mpp: float | None = None
    told_as: str = ""

    @property
    def title(self) -> str:
        """What it is called, and masks and regions of it, in a folder that has one for each."""
        return self.told_as or self.path.stem

    @property
    def name(self) -> str:
        """The same as the beginning of its files' names."""
        return safe_name(self.title)


def find_slides(
    request: str | list[str], recursive: bool = False, output: Path | None = None
) -> list[SlideFile]:
    """Slides that a path, a folder, a glob, a CSV (`path`, and `mpp` if known), or a list of these
    name. What is no slide in a folder, or among the matches of a glob, is left out and counted.

    Slides of one name get their folder's name before it.

    Args:
        request: these words.
        recursive: also look in folders of a folder.
        output: a folder whose own pictures are no slides.

    Raises:
        InputError: there is none, or two would get the same outputs.
    """
    patterns = [request] if isinstance(request, str) else list(request)
    slides: dict[Path, SlideFile] = {}
    for pattern in patterns:
        for slide in _named_by(pattern, recursive, output):
            slides[slide.path] = _same(slides.get(slide.path, slide), slide)
    if not slides:
        raise InputError(
            f"no slide matches {', '.join(patterns)}; set slides=PATH, slides=FOLDER (with"
            " recursive=true its folders too), slides='FOLDER/*.svs', slides=LIST.csv or [A,B]"
        )
    return _with_folder_names([slides[path] for path in sorted(slides)])


def _named_by(pattern: str, recursive: bool, output: Path | None) -> list[SlideFile]:
    if pattern.lower().endswith(TABLES):
        return _from_table(typed_path(pattern))
    paths = matching_paths(pattern)
    if len(paths) == 1 and paths[0].is_file():
        return [SlideFile(paths[0])]
    files = [
        file
        for path in paths
        for file in (_below(path, recursive, output) if path.is_dir() else [path])
    ]
    slides = [file for file in files if file.suffix.lower() in SLIDES]
    if left_out := len(files) - len(slides):
        log.info("%s: no slide, left out: %s", pattern, counted(left_out, "file"))
    return [SlideFile(file) for file in slides]


def _below(folder: Path, recursive: bool, output: Path | None) -> list[Path]:
    """Files of a folder, less hidden ones and those of an output inside it."""
    paths = visible(folder, "**/*" if recursive else "*")
    inside = output is not None and folder.resolve() in output.resolve().parents
    if output is not None and inside:
        paths = [path for path in paths if output.resolve() not in path.resolve().parents]
    return [path for path in paths if path.is_file()]


def _with_folder_names(slides: list[SlideFile]) -> list[SlideFile]:
    """The slides, those of one name with their folder's name before it.

    Raises:
        InputError: names that stay equal.
    """
    count = Counter(slide.name.casefold() for slide in slides)
    unique = [
        slide
        if count[slide.name.casefold()] == 1
        else replace(slide, told_as=f"{name_of(slide.path.parent)}_{slide.path.stem}")
        for slide in slides
    ]
    _check_names(unique)
    return unique


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
                " two outputs, or rename one of their folders"
            )
