"""The sample table of HEST-1k, and the choice of sections from it."""

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import pandas as pd

from hespotex.common.errors import InputError, cause
from hespotex.common.files import digest
from hespotex.common.user_table import BLANK, parse_number
from hespotex.sections.ids import check_unique, typed_ids
from hespotex.sections.readers.hest.metadata import read_metadata, text

log = logging.getLogger(__name__)

TABLE = re.compile(r"HEST_v(\d+(?:_\d+)*)\.csv")
FIELDS = (
    "organ",
    "oncotree_code",
    "st_technology",
    "species",
    "disease_state",
    "preservation_method",
    "dataset_title",
)
KEYS = (*FIELDS, "ids", "exclude", "min_spots")
Select = dict[str, Any]


@dataclass(frozen=True)
class SampleTable:
    """One row a sample, indexed by id, all columns text. `fingerprint` is a hash of the content:
    labels change.
    """

    name: str
    fingerprint: str
    rows: pd.DataFrame


def newest_table(names: Sequence[str]) -> str | None:
    """The `HEST_v*.csv` of the highest version, or None."""
    versions = {
        name: [int(n) for n in m[1].split("_")] for name in names if (m := TABLE.fullmatch(name))
    }
    return max(versions, key=lambda name: versions[name], default=None)


def read_sample_table(root: Path) -> SampleTable | None:
    """The newest table in `root`, or None; its name and hash go to the log."""
    name = newest_table([path.name for path in root.glob("HEST_v*.csv")])
    if name is None:
        return None
    try:
        rows = pd.read_csv(root / name, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except Exception as error:  # pandas' parser errors, and text that is no UTF-8
        raise InputError(
            f"{root / name}: cannot be read as the HEST-1k sample table ({cause(error)})"
        ) from error
    if "id" not in rows:
        raise InputError(
            f"{root / name}: expected the HEST-1k sample table with a column id, found"
            f" {list(rows)[:10]}"
        )
    table = SampleTable(name, digest((root / name).read_bytes()), _by_id(rows))
    log.info("sample table %s, hash %s, %d samples", name, table.fingerprint, len(table.rows))
    return table


def table_from_metadata(root: Path) -> SampleTable:
    """The same from `metadata/*.json`, for a folder without the table."""
    ids = sorted(path.stem for path in (root / "metadata").glob("*.json"))
    records = [
        {key: text(value) for key, value in read_metadata(root, i).items()} | {"id": i} for i in ids
    ]
    if not records:
        raise InputError(
            f"data.select needs the sample table HEST_v*.csv or metadata/*.json, but {root} holds"
            " neither"
        )
    return SampleTable("metadata/*.json", digest(records), _by_id(pd.DataFrame(records).fillna("")))


def _by_id(rows: pd.DataFrame) -> pd.DataFrame:
    rows = rows.apply(lambda column: column.str.strip()).drop_duplicates()
    check_unique(list(rows["id"]), "ids of the sample table", "leave one line for each sample")
    return rows.set_index("id")


def selects(select: Select | None) -> bool:
    """Whether any filter is set."""
    return any(value is not None and value != [] for value in (select or {}).values())


def select_ids(table: SampleTable, select: Select) -> list[str]:
    """The ids that pass every filter, in the order of the table.

    Args:
        table: the sample table.
        select: filter to value or list of values; None does not filter. Values match whole, in
          upper or lower case.

    Raises:
        InputError: an unknown filter or value, or nothing is left; the message says which filter
          left nothing.
    """
    if unknown := set(select) - set(KEYS):
        raise InputError(
            f"data.select has no filter {sorted(unknown)}; known are {', '.join(KEYS)}"
        )
    rows = table.rows
    steps = []
    for key in KEYS:
        if not selects({key: select.get(key)}):
            continue
        rows = _filter(table, rows, key, select[key])
        steps.append(f"{key}={select[key]} leaves {len(rows)}")
        if rows.empty:
            raise InputError(
                f"data.select leaves no section: of {len(table.rows)} in {table.name},"
                f" {', then '.join(steps)}; loosen data.select.{key}"
            )
    return [str(name) for name in rows.index]


def _filter(table: SampleTable, rows: pd.DataFrame, key: str, value: Any) -> pd.DataFrame:
    if key == "min_spots":
        return _with_spots(rows, float(value))
    values = (
        typed_ids(value, list(table.rows.index)) if key in ("ids", "exclude") else _texts(value)
    )
    if key not in ("ids", "exclude") and key not in table.rows:
        raise InputError(
            f"data.select.{key}: {table.name} has no column {key}; it has"
            f" {', '.join(table.rows.columns)}"
        )
    column = rows.index.to_series() if key in ("ids", "exclude") else rows[key]
    choices = table.rows.index if key in ("ids", "exclude") else table.rows[key].unique()
    _check_values(table, key, values, sorted(str(name) for name in choices if name))
    hit = column.str.lower().isin([item.lower() for item in values])
    return rows[~hit if key == "exclude" else hit]


def _texts(value: Any) -> list[str]:
    return [text(item) for item in (value if isinstance(value, list | tuple) else [value])]


def _check_values(table: SampleTable, key: str, values: list[str], choices: list[str]) -> None:
    lower = {name.lower(): name for name in choices}
    for value in values:
        if value.lower() not in lower:
            near = [
                lower[name] for name in get_close_matches(value.lower(), lower, n=5, cutoff=0.5)
            ]
            listing = ", ".join(choices[:30]) + (
                f" and {len(choices) - 30} more" if len(choices) > 30 else ""
            )
            hint = f"did you mean {' or '.join(near)}? " if near else ""
            raise InputError(
                f"data.select.{key}={value!r} is not in {table.name}; {hint}Known: {listing}"
            )


def _with_spots(rows: pd.DataFrame, at_least: float) -> pd.DataFrame:
    column = (
        rows["spots_under_tissue"]
        if "spots_under_tissue" in rows
        else pd.Series("", index=rows.index)
    )
    spots = pd.Series(
        [_number(str(name), cell) for name, cell in column.items()], rows.index, dtype=float
    )
    if blank := int(spots.isna().sum()):
        log.warning(
            "data.select.min_spots leaves out %d samples whose number of spots is not in the table",
            blank,
        )
    return rows[spots >= at_least]


def _number(name: str, cell: str) -> float:
    """A number of spots, NaN where the cell is empty."""
    number = parse_number(cell)
    if number is None and cell.strip().lower() not in BLANK:
        raise InputError(
            f"{name}: spots_under_tissue is {cell!r}, expected a number (data.select.min_spots)"
        )
    return float("nan") if number is None else number
