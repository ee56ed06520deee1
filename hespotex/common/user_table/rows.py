"""Rows of a table that users write: its delimiter, and names of columns."""

import csv
import io
import re
from collections.abc import Mapping
from pathlib import Path

from hespotex.common.errors import InputError
from hespotex.common.user_table.text import read_user_text

DELIMITERS = ",;\t|"
IN_BRACKETS = re.compile(r"\s*[(\[]([^)\]]*)[)\]]\s*$")


def read_user_rows(path: Path, key: str) -> tuple[list[list[str]], bool]:
    """The rows of a table whose columns are not known beforehand, header first, all as long as the
    longest header allows.

    Where the header lacks the name of the first column (R writes so), an empty one is put there.
    Whether a comma between digits must be a decimal one comes second.
    """
    rows, line_numbers, delimiter = split_rows(read_user_text(path, key), path, key, {})
    if len(rows) > 1 and all(len(row) == len(rows[0]) + 1 for row in rows[1:]):
        rows[0] = ["", *rows[0]]
    width = len(rows[0])
    body = [
        cells_of(row, line, width, path, key) for row, line in zip(rows, line_numbers, strict=True)
    ]
    return body, delimiter == ";"


def split_rows(
    text: str, path: Path, key: str, names: Mapping[str, str]
) -> tuple[list[list[str]], list[int], str]:
    """Rows that are not blank, the lines they end in, and the delimiter."""
    lines = text.splitlines()
    # Excel's own first line
    separator = re.fullmatch(r"\"?sep=(.)\"?", lines[0].strip()) if lines else None
    delimiter = (
        separator[1]
        if separator
        else _delimiter(next((line for line in lines if line.strip()), ""), names)
    )
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True, strict=True
    )
    rows = []
    numbers = []
    try:
        for row in reader:
            if any(cell.strip() for cell in row) and not (separator and reader.line_num == 1):
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


def cells_of(row: list[str], line: int, width: int, path: Path, key: str) -> list[str]:
    """A row as wide as the header; missing cells are empty."""
    while len(row) > width and not row[-1]:
        row = row[:-1]
    if len(row) > width:
        raise InputError(
            f"{path}, line {line}: {len(row)} cells under a header of {width}: {row[:8]}; put cells"
            f" with commas in quotes ({key})"
        )
    return row + [""] * (width - len(row))


def normal(name: str) -> str:
    """A column's name without case, spaces, and a unit in brackets."""
    bare = IN_BRACKETS.sub("", name.strip().strip("\u00a0\ufeff"))
    return re.sub(r"[\s\-.]+", "_", bare).lower()
