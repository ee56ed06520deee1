"""The splits that come with a task of the HEST-Benchmark bundle."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hespotex.common.errors import InputError
from hespotex.sections.readers.common import existing_folder, read_table
from hespotex.sections.section import SectionKey
from hespotex.splits.strategies import Fold, FoldStrategy

TRAIN = re.compile(r"train_(\d+)\.csv")


@dataclass(frozen=True)
class BundleSplit(FoldStrategy):
    """`splits/train_{i}.csv` and `test_{i}.csv`, joined by `sample_id`; validation is carved from
    the training side.

    Args:
        path: the task's folder.
    """

    path: str = ""

    def folds(self, keys: Sequence[SectionKey]) -> list[Fold]:
        """A fold for each pair of files, by their number.

        Raises:
            InputError: no such files, an unknown section, or a section on both sides.
        """
        by_id = {key.section_id: key for key in keys}
        folder = existing_folder(Path(self.path) / "splits", "fold.path")
        numbers = sorted(
            int(match[1]) for p in folder.iterdir() if (match := TRAIN.fullmatch(p.name))
        )
        if not numbers:
            raise InputError(
                f"no train_0.csv in {folder}; set fold.path to a task of the HEST-Benchmark bundle"
            )
        sides = [
            [_keys(folder / f"{side}_{i}.csv", by_id) for side in ("train", "test")]
            for i in numbers
        ]
        for number, (train, test) in zip(numbers, sides, strict=True):
            if both := {k.section_id for k in train} & {k.section_id for k in test}:
                raise InputError(
                    f"{folder}: fold {number} has sections on both sides: {sorted(both)}"
                )
        return [(train, test) for train, test in sides]


def _keys(path: Path, by_id: dict[str, SectionKey]) -> list[SectionKey]:
    table = read_table(path, sep=",", dtype=str)
    if "sample_id" not in table:
        raise InputError(
            f"{path}: expected columns sample_id,patches_path,expr_path, found {list(table)}"
        )
    names = list(dict.fromkeys(table["sample_id"].str.strip()))
    if unknown := [name for name in names if name not in by_id]:
        raise InputError(
            f"{path} names sections that the data set lacks: {unknown}; it holds {sorted(by_id)}"
        )
    return [by_id[name] for name in names]
