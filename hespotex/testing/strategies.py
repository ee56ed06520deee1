"""What a fold strategy must do."""

from collections.abc import Sequence
from dataclasses import replace

from hespotex.sections.section import SectionKey
from hespotex.splits.strategies import FoldStrategy
from hespotex.testing.expect import expect

KEYS = tuple(SectionKey(f"{group}{i}", group) for group in "ABCDE" for i in (1, 2))


def check_strategy(strategy: FoldStrategy, keys: Sequence[SectionKey] = KEYS) -> None:
    """Split five groups of two sections, or the keys that are given.

    Raises:
        AssertionError: no fold, sections from nowhere, one on two sides, or a group on both sides
          that the split does not label.
    """
    folds = strategy.possible(keys)
    expect(bool(folds), "expected a fold with sections on both sides, found none")
    group_of = {key.section_id: key.group for key in keys}
    for index in folds:
        split = replace(strategy, index=index).split(keys)
        ids = [*split.train, *split.val, *split.test]
        expect(len(set(ids)) == len(ids), f"fold {index}: a section stands on two sides")
        expect(set(ids) <= set(group_of), f"fold {index}: sections that nobody gave")
        fitted = {group_of[i] for i in (*split.train, *split.val)}
        leak = fitted & {group_of[i] for i in split.test}
        expect(not leak or bool(split.leaks), f"fold {index}: {leak} on both sides, not labelled")
        expect(replace(strategy, index=index).split(keys) == split, f"fold {index}: drawn anew")
