"""A fold strategy: the groups that are named are the test set, all others train."""

from collections.abc import Sequence
from dataclasses import dataclass

from hespotex.sections.section import SectionKey
from hespotex.splits.strategies import Fold, FoldStrategy


@dataclass(frozen=True)
class NamedGroups(FoldStrategy):
    test_groups: Sequence[str] = ()

    def folds(self, keys: Sequence[SectionKey]) -> list[Fold]:
        test = [key for key in keys if key.group in self.test_groups]
        return [([key for key in keys if key not in test], test)]
