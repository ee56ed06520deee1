"""Which spots lie on tissue, as a file says it: `in_tissue` as 1, 1.0, True, "TRUE", "t" or a
category.
"""

import logging
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hespotex.common.errors import InputError
from hespotex.sections.ids import plain_id

log = logging.getLogger(__name__)
COLUMN = "in_tissue"
WORDS = dict.fromkeys(("1", "1.0", "true", "t", "yes", "y"), True) | dict.fromkeys(
    ("0", "0.0", "false", "f", "no", "n"), False
)


def yes_or_no(values: Any, where: str, way_out: str) -> NDArray[np.bool_]:
    """The column as booleans (n_spots,), whatever type it came in.

    Raises:
        InputError: blank values, or words that mean neither.
    """
    array = np.asarray(values)
    if array.dtype.kind in "biuf" and np.isin(array, (0, 1)).all():
        return array.astype(bool)
    texts = pd.Series([plain_id(value).lower() for value in values], dtype=object)
    if unknown := sorted(set(texts) - set(WORDS)):
        count = int(texts.isin(unknown).sum())
        raise InputError(
            f"{where}: expected 1 or 0 (or true, false) for each spot, found "
            f"{[text or 'a blank' for text in unknown[:5]]} at {count} spots; {way_out}"
        )
    return np.array([WORDS[text] for text in texts], dtype=bool)


def spots_on_tissue(
    section_id: str, table: pd.DataFrame, column: str | None, way_out: str
) -> NDArray[np.bool_]:
    """Which spots (n_spots,) to keep; says how many are left out.

    Args:
        section_id: for messages.
        table: a row a spot; without the column all spots are kept.
        column: its name; None keeps all.
        way_out: how a user takes all spots.

    Raises:
        InputError: values that mean neither yes nor no, no such column, or no spot on tissue.
    """
    if not column or (column not in table and column == COLUMN):
        return np.ones(len(table), dtype=bool)
    if column not in table:
        columns = [str(name) for name in table]
        raise InputError(f"{section_id}: no column {column!r}, found {columns[:20]}; {way_out}")
    keep = yes_or_no(table[column], f"{section_id}: {column}", way_out)
    if len(keep) and not keep.any():
        raise InputError(f"{section_id}: {column} puts no spot on tissue; {way_out}")
    if not keep.all():
        log.info("%s: %d of %d spots are off the tissue (%s): left out",
                 section_id, (~keep).sum(), len(keep), column)  # fmt: skip
    return keep
