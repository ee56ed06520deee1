"""The pixel size that an image file tells: OME-XML, ImageJ, Aperio's words, or resolution tags."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hespotex.common.errors import InputError
from hespotex.sections.scale import believable

UM_PER_UNIT = {2: 25_400.0, 3: 10_000.0}  # TIFF ResolutionUnit: inch, centimetre
UM = {
    **dict.fromkeys(
        ("um", "µm", "μm", "micron", "microns", "micrometer", "micrometre", "micrometers"), 1.0
    ),
    **dict.fromkeys(("nm", "nanometer", "nanometre"), 1e-3),
    **dict.fromkeys(("mm", "millimeter", "millimetre"), 1e3),
    **dict.fromkeys(("cm", "centimeter", "centimetre"), 1e4),
    **dict.fromkeys(("inch", "in"), 25_400.0),
    **dict.fromkeys(("m", "meter", "metre"), 1e6),
    **dict.fromkeys(("å", "angstrom"), 1e-4),
}
SQUARE = 0.03  # by which the two sides of a px may differ
AGREE = 0.03  # and two statements of one file
NUMBER = r"([0-9]+(?:[.,][0-9]*)?(?:[eE][-+]?[0-9]+)?|[^\s|\"]+)"
APERIO = re.compile(rf"\bMPP\s*=\s*{NUMBER}")
PIXELS = re.compile(r"<(?:\w+:)?Pixels\b[^>]*>")


@dataclass(frozen=True)
class Statement:
    """One statement of a file: um per px along x and y (None where it is no number), and where it
    stands.
    """

    x: float | None
    y: float | None
    where: str


def choose(statements: list[Statement], path: Path) -> tuple[float | None, str]:
    """The pixel size (um per px) that the file tells, else None; and in words what it says, where
    this is of no use.

    Raises:
        InputError: the px are not square.
    """
    useful = [statement for statement in statements if believable(statement.x)]
    for statement in useful:
        _check_square(statement, path)
    if not useful:
        return None, "; ".join(
            f"its {statement.where} says {_text(statement)}" for statement in statements
        )
    if any(abs((statement.x or 1) / (useful[0].x or 1) - 1) > AGREE for statement in useful):
        sizes = ", ".join(f"{_text(statement)} ({statement.where})" for statement in useful)
        return None, f"it tells several: {sizes}"
    return useful[0].x, ""


def _check_square(statement: Statement, path: Path) -> None:
    x = statement.x
    y = statement.y
    if x and y and believable(y) and abs(x / y - 1) > SQUARE:
        raise InputError(
            f"{path}: its px are not square: {x:.4g} x {y:.4g} um ({statement.where}); resample the"
            f" image to square px, or correct the file's {statement.where}"
        )


def _text(statement: Statement) -> str:
    return "no number" if statement.x is None else f"{statement.x:.4g} um/px"


def tiff_tells(file: Any, page: Any) -> list[Statement]:
    """What a TIFF says of the px of one of its pages, the most explicit statement first."""
    description = str(page.description or "") or str(file.pages[0].description or "")
    statements = [
        _ome(str(file.ome_metadata or ""), page) if file.is_ome else None,
        _imagej(file.imagej_metadata or {}, page) if file.is_imagej else None,
        _aperio(description),
        _tags(page),
    ]
    return [statement for statement in statements if statement is not None]


def _ome(xml: str, page: Any) -> Statement | None:
    """`PhysicalSizeX` of the image of the page's size; of the only image where none has it."""
    images = [dict(re.findall(r'(\w+)\s*=\s*"([^"]*)"', tag)) for tag in PIXELS.findall(xml)]
    size = (str(page.imagewidth), str(page.imagelength))
    same = [one for one in images if (one.get("SizeX"), one.get("SizeY")) == size]
    for one in (same or images)[:1]:
        if "PhysicalSizeX" in one:
            sides = [
                _length(one.get(f"PhysicalSize{axis}"), one.get(f"PhysicalSize{axis}Unit", "µm"))
                for axis in "XY"
            ]
            return Statement(sides[0], sides[1], "OME-XML PhysicalSizeX")
    return None


def _length(value: str | None, unit: str) -> float | None:
    """A length in um; None where value or unit is none."""
    factor = UM.get(_unit(unit))
    number = _number(value or "")
    return None if factor is None or number is None else number * factor


def _unit(text: str) -> str:
    plain = (
        text.replace("\\u00B5", "µ")
        .replace("\\u00b5", "µ")
        .replace("&#181;", "µ")
        .replace("&#xB5;", "µ")
    )
    return plain.strip().replace("Â", "").lower()


def _number(text: str) -> float | None:
    try:
        return float(text.strip().replace(",", "."))
    except ValueError:
        return None


def _imagej(facts: dict[str, Any], page: Any) -> Statement | None:
    """ImageJ writes px per unit as the resolution, and the unit in words."""
    factor = UM.get(_unit(str(facts.get("unit", ""))))
    if factor is None:
        return None
    x, y = (_per_px(page, name, factor) for name in ("XResolution", "YResolution"))
    return None if x is None else Statement(x, y, "ImageJ unit")


def _aperio(description: str) -> Statement | None:
    match = APERIO.search(description)
    return Statement(number := _number(match[1]), number, "description (MPP)") if match else None


def _tags(page: Any) -> Statement | None:
    unit = page.tags.valueof("ResolutionUnit", None)
    um = UM_PER_UNIT.get(int(unit)) if unit is not None else None
    if um is None:
        return None
    x, y = (_per_px(page, name, um) for name in ("XResolution", "YResolution"))
    return None if x is None else Statement(x, y, "resolution tag")


def _per_px(page: Any, name: str, um: float) -> float | None:
    """um per px of a tag that holds px per `um`."""
    value = page.tags.valueof(name, None)
    if not isinstance(value, tuple) or len(value) != 2 or not value[0]:
        return None
    return float(um * value[1] / value[0])
