"""Splits written down by the user."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from hespotex.common.errors import InputError
from hespotex.common.typed_paths import typed_path
from hespotex.common.user_table import read_user_table
from hespotex.sections.section import SectionKey
from hespotex.splits.strategies import Fold, FoldStrategy

COLUMNS = ["fold", "section_id", "split"]
SIDES = ("train", "val", "test")


@dataclass(frozen=True)
class FileSplit(FoldStrategy):
    """Splits from a CSV with columns `fold`, `section_id`, `split` (train, val or test).

    Where a fold lists no `val`, validation is carved from its training sections as elsewhere.
    """

    path: str = ""

    def folds(self, keys: Sequence[SectionKey]) -> list[Fold]:
        """A fold for each value of `fold`, in ascending order; `train` and `val` are one side here.

        Raises:
            InputError: no such file, an unknown section, or a section on two sides of a fold.
        """
        table = self._table()
        by_id = {key.section_id: key for key in keys}
        if unknown := sorted(set(table["section_id"]) - set(by_id)):
            raise InputError(
                f"{self.path} names sections that the data set lacks: {unknown}; it holds"
                f" {sorted(by_id)}"
            )
        folds = []
        for _, rows in table.groupby("fold"):
            test = [by_id[i] for i in rows.loc[rows["split"] == "test", "section_id"]]
            rest = [by_id[i] for i in rows.loc[rows["split"] != "test", "section_id"]]
            folds.append((rest, test))
        return folds

    def _validation(self, keys: list[SectionKey]) -> list[SectionKey]:
        table = self._table()
        fold = sorted(table["fold"].unique())[self.index]
        ids = set(table.loc[(table["fold"] == fold) & (table["split"] == "val"), "section_id"])
        return [k for k in keys if k.section_id in ids] if ids else super()._validation(keys)

    def _table(self) -> pd.DataFrame:
        path = typed_path(self.path)
        if not path.is_file():
            raise InputError(
                f"split file not found: {self.path!r}; set fold.path=FILE.csv (columns fold,"
                " section_id, split)"
            )
        user_table = read_user_table(path, "fold.path", COLUMNS)
        columns = {
            "fold": _ordered(user_table.text("fold")),
            "section_id": user_table.text("section_id"),
        }
        table = pd.DataFrame(columns | {"split": user_table.one_of("split", SIDES)})[
            COLUMNS
        ].drop_duplicates()
        twice = table[table.duplicated(["fold", "section_id"])]
        if len(twice):
            raise InputError(
                f"{self.path}: sections on two sides of one fold:"
                f" {sorted(set(twice['section_id']))}"
            )
        return table


def _ordered(folds: list[str]) -> list[str] | list[int]:
    """Folds as numbers where all are, so that 10 comes after 9."""
    return [int(fold) for fold in folds] if all(fold.isdecimal() for fold in folds) else folds
