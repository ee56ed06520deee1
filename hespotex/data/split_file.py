"""Splits written down by the user."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from hespotex.data.folds import Fold, FoldStrategy
from hespotex.data.section import SectionKey
from hespotex.errors import InputError

COLUMNS = ["fold", "section_id", "split"]


@dataclass(frozen=True)
class FileSplit(FoldStrategy):
    """Splits from a CSV with columns `fold`, `section_id`, `split` (train, val or test).

    Where a fold lists no `val`, validation is carved from its training sections as elsewhere.
    """

    path: str = ""

    def folds(self, keys: Sequence[SectionKey]) -> list[Fold]:
        table, by_id = self._table(), {key.section_id: key for key in keys}
        if unknown := sorted(set(table["section_id"]) - set(by_id)):
            raise InputError(f"{self.path} names sections that the data set lacks: {unknown}; it holds {sorted(by_id)}")
        folds = []
        for _, rows in table.groupby("fold"):
            test = [by_id[i] for i in rows.loc[rows["split"] == "test", "section_id"]]
            rest = [by_id[i] for i in rows.loc[rows["split"] != "test", "section_id"]]
            folds.append((rest, test))
        return folds

    def _validation(self, keys: list[SectionKey]) -> list[SectionKey]:
        table = self._table()
        fold = sorted(table["fold"].unique())[self.index]
        named = set(table.loc[(table["fold"] == fold) & (table["split"] == "val"), "section_id"])
        return [k for k in keys if k.section_id in named] if named else super()._validation(keys)

    def _table(self) -> pd.DataFrame:
        if not Path(self.path).is_file():
            raise InputError(f"split file not found: {self.path!r}; set fold.path=FILE.csv (columns fold, section_id, split)")
        try:
            table = pd.read_csv(self.path, dtype={"section_id": str})
        except ValueError as error:  # pandas' parser errors
            raise InputError(f"{self.path}: cannot be read as CSV ({error})") from error
        if not set(COLUMNS) <= set(table) or not set(table["split"]) <= {"train", "val", "test"}:
            raise InputError(f"{self.path}: expected columns fold, section_id, split (train, val or test), found {list(table)}")
        table = table[COLUMNS].drop_duplicates()
        twice = table[table.duplicated(["fold", "section_id"])]
        if len(twice):
            raise InputError(f"{self.path}: sections on two sides of one fold: {sorted(set(twice['section_id']))}")
        return table
