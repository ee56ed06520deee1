"""Tables and lists that users write: encoding, delimiter, header, decimal comma and units in one
place.

Nothing is guessed and nothing dropped: a value that is not understood is refused by row, column and
value.
"""

import csv
import gzip
import io
import logging
import math
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hespotex.common.errors import InputError

log = logging.getLogger(__name__)
BOMS = {
    b"\xef\xbb\xbf": "utf-8-sig",
    b"\xff\xfe\0\0": "utf-32",
    b"\0\0\xfe\xff": "utf-32",
    b"\xff\xfe": "utf-16",
    b"\xfe\xff": "utf-16",
}
NO_TEXT = {
    b"PK\x03\x04": "an Excel or zip file",
    b"\x89HDF": "an HDF5 file",
    b"PAR1": "a Parquet file",
    b"\xd0\xcf\x11\xe0": "an old Excel file",
}
DELIMITERS = ",;\t|"
BLANK = {"", "na", "n/a", "nan", "none", "null", "-", "#n/a", "?"}
NUMBER = re.compile(r"([-+\u2212]?)(\d[\d.,]*|[.,]\d+)((?:[eE][-+]?\d+)?)\s*(.*)")
# or decimals; not to be told where commas are decimal
THOUSANDS = re.compile(r"(?<!\d)[1-9]\d{0,2}(\.\d{3})+(?!\d)")
IN_BRACKETS = re.compile(r"\s*[(\[]([^)\]]*)[)\]]\s*$")
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
SHOWN = 60  # letters of a value in a message


@dataclass(frozen=True)
class UserTable:
    """A table as text: `columns` by name as the reader of the table asks for it, `lines` of the
    file that the rows stand in.

    `key`: config key or option that names the file; `header`: the names as they are in the file.
    """

    path: Path
    key: str
    columns: dict[str, list[str]]
    lines: list[int]
    header: list[str]
    units: dict[str, str]
    comma_is_decimal: bool

    def __len__(self) -> int:
        return len(self.lines)

    def __contains__(self, column: str) -> bool:
        return column in self.columns

    def text(self, column: str, blank: bool = False) -> list[str]:
        """The cells of a column without spaces around them; `blank` lets them be empty.

        Raises:
            InputError: an empty cell.
        """
        cells = self.columns[column]
        for row, cell in enumerate(cells):
            if not cell and not blank:
                raise self.refusal(row, column, "something")
        return cells

    def one_of(self, column: str, allowed: Collection[str]) -> list[str]:
        """Cells that are one of these lower-case words, in either case."""
        cells = [cell.lower() for cell in self.text(column)]
        for row, cell in enumerate(cells):
            if cell not in allowed:
                raise self.refusal(row, column, f"one of {', '.join(sorted(allowed))}")
        return cells

    def numbers(
        self, column: str, unit: str | None = None, blank: bool = False
    ) -> NDArray[np.float64]:
        """The numbers of a column, (n_rows,), NaN where `blank` lets a cell be empty.

        Args:
            unit: "um" turns other lengths into um, "px" and None take the number with that unit or
              none.

        Raises:
            InputError: a cell that is no finite number, or of another unit.
        """
        cells = self.columns[column]
        commas = any(is_decimal_comma(cell) for cell in cells)
        values = []
        for row, cell in enumerate(cells):
            if blank and cell.lower() in BLANK:
                values.append(math.nan)
                continue
            value = parse_number(
                cell, unit, commas or self.comma_is_decimal, self.units.get(column, "")
            )
            if commas and THOUSANDS.search(cell):
                value = None
            if value is None:
                raise self.refusal(
                    row, column, f"a number{f' ({unit})' if unit else ''}{_ambiguous(cell)}"
                )
            values.append(value)
        return np.array(values, dtype=np.float64)

    def refusal(self, row: int, column: str, expected: str) -> InputError:
        """What to raise for a cell."""
        cell = self.columns[column][row]
        return InputError(
            f"{self.path}, line {self.lines[row]}, column {column}: expected {expected}, found"
            f" {cell[:SHOWN]!r} ({self.key})"
        )


def read_user_table(
    path: Path,
    key: str,
    columns: Sequence[str],
    aliases: Mapping[str, Sequence[str]] | None = None,
    optional: Sequence[str] = (),
) -> UserTable:
    """A table with a header, delimited by commas, semicolons, tabs or bars, gzipped or not, in any
    usual encoding.

    Args:
        path: the file; key: what names it, for messages.
        columns: that must be there; optional: that may be. Case, spaces and units in brackets do
          not matter.
        aliases: other names of a column.

    Raises:
        InputError: no table, a column missing or there twice, no rows, or rows of more cells than
          the header.
    """
    names = {
        normal(other): name
        for name in (*columns, *optional)
        for other in (*(aliases or {}).get(name, ()), name)
    }
    rows, lines, delimiter = _split(read_user_text(path, key), path, key, names)
    header, units = _header(rows[0], names, path, key)
    if missing := [name for name in columns if name not in header]:
        raise InputError(
            f"{path}: expected columns {', '.join([*columns, *optional])}, found"
            f" {[cell.strip() for cell in rows[0]]}; missing is {', '.join(missing)} ({key})"
        )
    body = [
        _cells(row, line, len(header), path, key)
        for row, line in zip(rows[1:], lines[1:], strict=True)
    ]
    if not body:
        raise InputError(f"{path}: a header and no rows ({key})")
    taken = {
        name: [row[i] for row in body]
        for i, name in enumerate(header)
        if name in (*columns, *optional)
    }
    return UserTable(
        path, key, taken, lines[1:], [cell.strip() for cell in rows[0]], units, delimiter == ";"
    )


def read_user_rows(path: Path, key: str) -> tuple[list[list[str]], bool]:
    """The rows of a table whose columns are not known beforehand, header first, all as long as the
    longest header allows.

    Where the header lacks the name of the first column (R writes so), an empty one is put there.
    Whether a comma between digits must be a decimal one comes second.
    """
    rows, lines, delimiter = _split(read_user_text(path, key), path, key, {})
    if len(rows) > 1 and all(len(row) == len(rows[0]) + 1 for row in rows[1:]):
        rows[0] = ["", *rows[0]]
    width = len(rows[0])
    body = [_cells(row, line, width, path, key) for row, line in zip(rows, lines, strict=True)]
    return body, delimiter == ";"


def read_user_text(path: Path, key: str) -> str:
    """The text of a file in UTF-8, UTF-16, UTF-32 or, with a warning, Latin-1; gzipped or not.

    Raises:
        InputError: no such file, an empty one, or one that is no text.
    """
    if not path.is_file():
        raise InputError(f"file not found: {path}; set {key}=FILE")
    raw = _raw(path, key)
    if not raw.strip(b"\0 \t\r\n"):
        raise InputError(f"{path}: the file is empty ({key})")
    for magic, kind in NO_TEXT.items():
        if raw.startswith(magic):
            raise InputError(f"{path}: expected text, found {kind}; save it as CSV ({key})")
    text = _decoded(raw, path, key)
    if "\0" in text:
        raise InputError(f"{path}: expected text, found a binary file ({key})")
    return text


def _raw(path: Path, key: str) -> bytes:
    try:
        raw = path.read_bytes()
        return gzip.decompress(raw) if raw.startswith(b"\x1f\x8b") else raw
    except (OSError, EOFError, ValueError) as error:
        raise InputError(f"{path}: cannot be read ({error}) ({key})") from error


def _decoded(raw: bytes, path: Path, key: str) -> str:
    encoding = next((name for bom, name in BOMS.items() if raw.startswith(bom)), None)
    if encoding is None and b"\0" in raw[:400] and len(raw) % 2 == 0:
        encoding = "utf-16-le" if raw[1:2] == b"\0" else "utf-16-be"
    try:
        return raw.decode(encoding or "utf-8")
    except UnicodeDecodeError as error:
        if encoding is not None:
            raise InputError(
                f"{path}: cannot be read as {encoding} ({error}); save it as UTF-8 ({key})"
            ) from error
    log.warning(
        "%s: no UTF-8, taken for Latin-1; where names look wrong, save it as UTF-8 (%s)", path, key
    )
    return raw.decode("cp1252", errors="replace") if not _odd(raw) else raw.decode("latin-1")


def _odd(raw: bytes) -> bool:
    """Whether Windows' Latin-1 lacks one of the bytes."""
    return any(byte in raw for byte in (b"\x81", b"\x8d", b"\x8f", b"\x90", b"\x9d"))


def _split(
    text: str, path: Path, key: str, names: Mapping[str, str]
) -> tuple[list[list[str]], list[int], str]:
    """Rows that are not blank, the lines they end in, and the delimiter."""
    lines = text.splitlines()
    # Excel's own first line
    told = re.fullmatch(r"\"?sep=(.)\"?", lines[0].strip()) if lines else None
    delimiter = (
        told[1] if told else _delimiter(next((line for line in lines if line.strip()), ""), names)
    )
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True, strict=True
    )
    rows = []
    numbers = []
    try:
        for row in reader:
            if any(cell.strip() for cell in row) and not (told and reader.line_num == 1):
                rows.append([cell.strip().strip("\u00a0\ufeff") for cell in row])
                numbers.append(reader.line_num)
    except csv.Error as error:
        raise InputError(
            f"{path}, line {reader.line_num}: cannot be read as a table ({error}); mend its quotes"
            f" ({key})"
        ) from error
    if not rows:
        raise InputError(f"{path}: the table is empty ({key})")
    return rows, numbers, delimiter


def _delimiter(header: str, names: Mapping[str, str]) -> str:
    """That by which the header holds most of the wanted names, then most cells."""

    def fits(delimiter: str) -> tuple[int, int]:
        cells = [cell.strip().strip('"') for cell in header.split(delimiter)]
        return sum(normal(cell) in names for cell in cells), len(cells)

    best = max(DELIMITERS, key=fits)
    spaced = [normal(cell) in names for cell in header.split()]
    return " " if len(spaced) > 1 and all(spaced) and fits(best)[1] == 1 else best


def normal(name: str) -> str:
    """A column's name without case, spaces, and a unit in brackets."""
    bare = IN_BRACKETS.sub("", name.strip().strip("\u00a0\ufeff"))
    return re.sub(r"[\s\-.]+", "_", bare).lower()


def _header(
    cells: list[str], names: Mapping[str, str], path: Path, key: str
) -> tuple[list[str], dict[str, str]]:
    """The names as they are asked for, others as they stand; and units that stand in the header."""
    here = {normal(cell) for cell in cells}
    header = [
        (
            cell
            if names.get(plain, plain) != plain and names[plain] in here
            else names.get(plain, cell)
        )
        for cell, plain in zip(cells, map(normal, cells), strict=True)
    ]
    wanted = [name for name in header if name in names.values()]
    if twice := sorted({name for name in wanted if wanted.count(name) > 1}):
        raise InputError(
            f"{path}: columns there twice: {', '.join(twice)}, found {cells}; leave one of each"
            f" ({key})"
        )
    units = {
        name: match[1]
        for name, cell in zip(header, cells, strict=True)
        if (match := IN_BRACKETS.search(cell))
    }
    return header, units


def _cells(row: list[str], line: int, width: int, path: Path, key: str) -> list[str]:
    """A row as wide as the header; missing cells are empty."""
    while len(row) > width and not row[-1]:
        row = row[:-1]
    if len(row) > width:
        raise InputError(
            f"{path}, line {line}: {len(row)} cells under a header of {width}: {row[:8]}; put cells"
            f" with commas in quotes ({key})"
        )
    return row + [""] * (width - len(row))


def is_decimal_comma(cell: str) -> bool:
    """Whether the comma of a number cannot part thousands."""
    match = NUMBER.fullmatch(cell)
    digits = match[2] if match else ""
    if digits.count(",") != 1 or "." in digits:
        return False
    whole, rest = digits.split(",")
    return len(rest) != 3 or whole in ("", "0") or len(whole) > 3


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


def _plain(digits: str, comma: bool) -> str | None:
    """Digits with a decimal point; None for what could be read in two ways."""
    if "," not in digits:
        return digits if digits.count(".") <= 1 else None
    if digits.count(",") == 1 and "." not in digits and (comma or is_decimal_comma(digits)):
        return digits.replace(",", ".")
    return None


def _factor(found: str, wanted: str | None) -> float | None:
    """What turns the unit that is there into the one wanted; None for another kind of unit."""
    bare = PER_PX.sub("", found.strip().lower().replace("µ", "u").replace("μ", "u")).strip()
    if not found.strip():
        return 1.0
    if wanted == "um":
        return UM.get(bare, 1.0 if bare == "mpp" else None)
    same = found.strip().lower()
    return 1.0 if wanted == "px" and same in ("px", "pixel", "pixels") else None


def _ambiguous(cell: str) -> str:
    if re.fullmatch(r"[\d,. ]*\d", cell) and ("," in cell or THOUSANDS.search(cell)):
        return "; this could be thousands or decimals: write a decimal point and nothing else"
    return ""
