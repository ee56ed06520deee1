"""Wide tables of counts, all cells at once: pandas spends its time on each of 15,000 columns."""

import gzip
import re
import zlib
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

# what a table of counts is made of, whose rows are named by a place such as 10x13
PLAIN = b"0123456789x\t\n"
TAB, NEWLINE, ZERO = b"\t\n0"
DIGITS = 15  # of a number
PLACE = re.compile(rb"\d+x\d+")
GZIP = b"\x1f\x8b"


def plain_table(path: Path) -> pd.DataFrame | None:
    """Numbers (n_rows, n_columns) below a line of names, each row after its place.

    None for a table of any other kind, and for one that cannot be read: the general reader knows
    what to do with it, or to say of it.
    """
    try:
        content = path.read_bytes()
        content = gzip.decompress(content) if content.startswith(GZIP) else content
        head, _, body = content.replace(b"\r\n", b"\n").partition(b"\n")
        names = head.decode("utf-8-sig").split("\t")[1:]
    except (OSError, EOFError, zlib.error, UnicodeDecodeError):
        return None
    names_are_plain = names and all(name.strip() and '"' not in name for name in names)
    if body.translate(None, PLAIN) or not names_are_plain:
        return None
    places = [line.partition(b"\t")[0] for line in body.removesuffix(b"\n").split(b"\n")]
    if body.count(b"x") != len(places) or not all(map(PLACE.fullmatch, places)):
        return None
    values = _numbers(body if body.endswith(b"\n") else body + b"\n", (len(places), len(names)))
    index = [place.decode() for place in places]
    return None if values is None else pd.DataFrame(values, index, names)  # type: ignore[arg-type]


def first_line(path: Path) -> list[str] | None:
    """The names in the first line of a table, less that of the rows; None where quotes, or damage,
    want the general reader.
    """
    try:
        with path.open("rb") as file:
            zipped = file.read(len(GZIP)) == GZIP
        with gzip.open(path) if zipped else path.open("rb") as stream:
            names = stream.readline().decode("utf-8-sig").rstrip("\r\n").split("\t")[1:]
    except (OSError, EOFError, zlib.error, UnicodeDecodeError):
        return None
    return None if not names or any('"' in name or not name.strip() for name in names) else names


def _numbers(body: bytes, shape: tuple[int, int]) -> NDArray[np.int64] | None:
    """The whole numbers of all lines behind each line's first cell; None where some are missing or
    too long.
    """
    n_rows, n_columns = shape
    letters = np.frombuffer(body, dtype=np.uint8)
    breaks = np.flatnonzero((letters == TAB) | (letters == NEWLINE))
    if len(breaks) != n_rows * (n_columns + 1):
        return None
    lengths = np.diff(breaks, prepend=-1).reshape(n_rows, -1)[:, 1:] - 1
    ends = breaks.reshape(n_rows, -1)
    if (letters[ends[:, -1]] != NEWLINE).any() or not 1 <= lengths.min() <= lengths.max() <= DIGITS:
        return None
    ends = ends[:, 1:]
    values = letters[ends - 1].astype(np.int64) - ZERO
    for place in range(1, lengths.max()):
        longer = lengths > place
        values[longer] += (letters[ends[longer] - 1 - place].astype(np.int64) - ZERO) * 10**place
    return values
