"""Tables that users write, by the names of their columns."""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hespotex.common.errors import InputError
from hespotex.common.user_table.numbers import THOUSANDS, ambiguous, is_decimal_comma, parse_number
from hespotex.common.user_table.rows import IN_BRACKETS, cells_of, normal, split_rows
from hespotex.common.user_table.text import read_user_text

BLANK = {"", "na", "n/a", "nan", "none", "null", "-", "#n/a", "?"}
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
                    row, column, f"a number{f' ({unit})' if unit else ''}{ambiguous(cell)}"
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
    rows, line_numbers, delimiter = split_rows(read_user_text(path, key), path, key, names)
    header, units = _header(rows[0], names, path, key)
    expected = (*columns, *optional)
    titles = [cell.strip() for cell in rows[0]]
    if absent := [name for name in columns if name not in header]:
        raise InputError(
            f"{path}: expected columns {', '.join(expected)}, found {titles}; missing is"
            f" {', '.join(absent)} ({key})"
        )
    body = [
        cells_of(row, line, len(header), path, key)
        for row, line in zip(rows[1:], line_numbers[1:], strict=True)
    ]
    if not body:
        raise InputError(f"{path}: a header and no rows ({key})")
    cells = {name: [row[i] for row in body] for i, name in enumerate(header) if name in expected}
    return UserTable(path, key, cells, line_numbers[1:], titles, units, delimiter == ";")


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
    recognised = [name for name in header if name in names.values()]
    if twice := sorted({name for name in recognised if recognised.count(name) > 1}):
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
