"""Which slides are to be predicted."""

from dataclasses import dataclass
from glob import glob
from pathlib import Path

import pandas as pd

from hespotex.errors import InputError
from hespotex.files import safe_name

COLUMNS = ("path", "slide", "filename")


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
        for slide in _from_table(Path(pattern)) if pattern.endswith(".csv") else _from_glob(pattern):
            found[slide.path] = slide
    if not found:
        raise InputError(
            f"no slide matches {', '.join(patterns)}; set slides=PATH, slides='FOLDER/*.svs', slides=LIST.csv or [A,B]"
        )
    slides = [found[path] for path in sorted(found)]
    _check_names(slides)
    return slides


def _from_glob(pattern: str) -> list[SlideFile]:
    return [SlideFile(Path(match)) for match in glob(pattern)]  # noqa: PTH207, Path.glob refuses absolute patterns


def _from_table(file: Path) -> list[SlideFile]:
    """Relative paths are relative to the table."""
    if not file.is_file():
        raise InputError(f"list of slides not found: {file}; set slides=LIST.csv with a column path, and mpp if known")
    table = pd.read_csv(file)
    column = next((name for name in COLUMNS if name in table), None)
    if column is None:
        raise InputError(f"{file}: expected a column path (and mpp, um per px, if known), found {list(table)}")
    mpp = pd.to_numeric(table["mpp"], errors="coerce") if "mpp" in table else pd.Series(float("nan"), table.index)
    return [
        SlideFile(file.parent / str(path), None if pd.isna(size) else float(size))
        for path, size in zip(table[column], mpp, strict=True)
    ]


def _check_names(slides: list[SlideFile]) -> None:
    first: dict[str, Path] = {}
    for slide in slides:
        other = first.setdefault(slide.name.casefold(), slide.path)
        if other != slide.path:
            raise InputError(f"{other} and {slide.path} would both be written as {slide.name}; predict them into two outputs")
