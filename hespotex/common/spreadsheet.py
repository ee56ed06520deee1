"""CSV files that a spreadsheet may open: text from data is never taken for a formula there."""

import csv
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

FORMULA = re.compile(r"'*[=+\-@\t\r]")  # what a cell must not begin with; apostrophes say "text"


def marked(text: str) -> str:
    """With an apostrophe before it where a spreadsheet would work it out; a number stays."""
    return f"'{text}" if FORMULA.match(text) and not _is_number(text.lstrip("'")) else text


def unmarked(text: Any) -> Any:
    """What `marked` was given; anything but text as it is."""
    if not isinstance(text, str):
        return text
    is_marked = text.startswith("'") and FORMULA.match(text) and not _is_number(text.lstrip("'"))
    return text[1:] if is_marked else text


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def write_csv(table: "pd.DataFrame", path: Path, **how: Any) -> None:
    """Write a table whose text, in cells, index and heading, is marked; see `DataFrame.to_csv`."""
    from pandas.api.types import is_numeric_dtype

    safe = table.rename(columns=_cell)
    texts = [*map(str, table.columns)]
    for place, kind in enumerate(table.dtypes):
        if not is_numeric_dtype(kind):
            column = table.iloc[:, place].astype(object).map(_cell).to_numpy()
            safe.isetitem(place, column)
            texts += [text for text in column if isinstance(text, str)]
    if how.get("index", True):
        safe.index = safe.index.map(_cell).rename(table.index.name)
        texts += [*map(str, safe.index)]
    # pandas leaves it bare, and readers take it for a line's end
    if any("\r" in text for text in texts):
        how |= {"quoting": csv.QUOTE_NONNUMERIC}
    safe.to_csv(path, **how)


def _cell(value: Any) -> Any:
    return marked(value) if isinstance(value, str) else value
