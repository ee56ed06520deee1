"""Tables as Markdown, columns aligned."""

import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

import pandas as pd

Column = tuple[str, str, str]  # name, title, format
NOTHING = "no value"


def inert(text: str) -> str:
    """Text with words from data as a line of Markdown: no HTML, no link or picture, no line of its
    own; bold stays.
    """
    line = "".join(letter if letter.isprintable() else " " for letter in str(text))
    return re.sub(r"\]([(\[:])", r"]\\\1", line.replace("<", "&lt;"))


def inert_values(value: Any) -> Any:
    """The same of every text in dicts and lists."""
    if isinstance(value, dict):
        return {key: inert_values(child) for key, child in value.items()}
    if isinstance(value, list):
        return [inert_values(child) for child in value]
    return inert(value) if isinstance(value, str) else value


def picture(text: str, path: str) -> str:
    """A picture that lies at `path`, with what it shows."""
    caption = re.sub(r"[\[\]]", "", inert(text))
    return f"![{caption}]({quote(path)})"


def listed(heading: str, texts: Sequence[str]) -> str:
    """A heading and its lines, which are texts."""
    return "\n".join([f"## {heading}", "", *map(inert, texts)])


def cell(text: str) -> str:
    """A line that stays within its cell of a table."""
    return inert(text).replace("|", r"\|")


def markdown(header: list[str], rows: list[list[str]]) -> str:
    """A table as Markdown, columns aligned; whatever its cells hold is text."""
    header = [cell(text) for text in header]
    rows = [[cell(text) for text in row] for row in rows]
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]
    table_lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in [header, *rows]
    ]
    return "\n".join(
        [
            table_lines[0],
            "|" + "|".join("-" * (width + 2) for width in widths) + "|",
            *table_lines[1:],
        ]
    )


def number(value: float, form: str = ".3f") -> str:
    """A number, or the words that there is none."""
    return NOTHING if pd.isna(value) else format(value, form)


def interval(low: float, high: float, form: str = ".3f") -> str:
    """`0.1 to 0.2`; a single group has none."""
    return "one group" if pd.isna(low) else f"{low:{form}} to {high:{form}}"


def numbers(table: pd.DataFrame, columns: Sequence[Column]) -> str:
    """Models down, columns across; columns without any value are left out."""
    return markdown(*number_cells(table, columns))


def number_cells(
    table: pd.DataFrame, columns: Sequence[Column]
) -> tuple[list[str], list[list[str]]]:
    """Header and cells of `numbers`."""
    filled = [column for column in columns if column[0] in table and table[column[0]].notna().any()]
    rows = [
        [str(row["model"]), *(number(row[name], form) for name, _, form in filled)]
        for row in table.to_dict("records")
    ]
    return ["model", *(title for _, title, _ in filled)], rows
