"""Numbers as people write them: decimal comma, units, and what could mean two things."""

import math
import re

NUMBER = re.compile(r"([-+\u2212]?)(\d[\d.,]*|[.,]\d+)((?:[eE][-+]?\d+)?)\s*(.*)")
# or decimals; not to be told where commas are decimal
THOUSANDS = re.compile(r"(?<!\d)[1-9]\d{0,2}(\.\d{3})+(?!\d)")
UM = {
    "um": 1.0,
    "micron": 1.0,
    "microns": 1.0,
    "micrometer": 1.0,
    "micrometre": 1.0,
    "nm": 1e-3,
    "mm": 1e3,
}
PER_PX = re.compile(r"\s*(/|per)\s*(px|pixels?)$|\s*px$")


def parse_number(
    cell: str, unit: str | None = None, comma: bool = False, header_unit: str = ""
) -> float | None:
    """A finite number as people write it; None where it is none, or where its comma could mean two
    things.

    Args:
        cell: such as "0.5", "0,5", "0.5 µm/px", "1e3".
        unit: see `UserTable.numbers`.
        comma: a comma is a decimal one for certain.
        header_unit: what the column's name says in brackets.
    """
    match = NUMBER.fullmatch(cell.strip().replace("\u00a0", " "))
    if match is None:
        return None
    digits = _plain(match[2], comma)
    factor = _factor(match[4] or header_unit, unit)
    if digits is None or factor is None:
        return None
    value = float(f"{match[1].replace(chr(0x2212), '-')}{digits}{match[3]}") * factor
    return value if math.isfinite(value) else None


def is_decimal_comma(cell: str) -> bool:
    """Whether the comma of a number cannot part thousands."""
    match = NUMBER.fullmatch(cell)
    digits = match[2] if match else ""
    if digits.count(",") != 1 or "." in digits:
        return False
    whole, rest = digits.split(",")
    return len(rest) != 3 or whole in ("", "0") or len(whole) > 3


def _plain(digits: str, comma: bool) -> str | None:
    """Digits with a decimal point; None for what could be read in two ways."""
    if "," not in digits:
        return digits if digits.count(".") <= 1 else None
    if digits.count(",") == 1 and "." not in digits and (comma or is_decimal_comma(digits)):
        return digits.replace(",", ".")
    return None


def _factor(unit: str, target: str | None) -> float | None:
    """What turns the unit that is there into the one wanted; None for another kind of unit."""
    bare = PER_PX.sub("", unit.strip().lower().replace("µ", "u").replace("μ", "u")).strip()
    if not unit.strip():
        return 1.0
    if target == "um":
        return UM.get(bare, 1.0 if bare == "mpp" else None)
    same = unit.strip().lower()
    return 1.0 if target == "px" and same in ("px", "pixel", "pixels") else None


def ambiguous(cell: str) -> str:
    """What to add to a refusal of a cell that could mean two numbers; empty for another."""
    if re.fullmatch(r"[\d,. ]*\d", cell) and ("," in cell or THOUSANDS.search(cell)):
        return "; this could be thousands or decimals: write a decimal point and nothing else"
    return ""
