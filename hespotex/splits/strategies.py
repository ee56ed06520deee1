"""Splits by group: which sections train, validate and test."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hespotex.common.errors import InputError
from hespotex.sections.section import SectionKey
from hespotex.splits.split import Split

Fold = tuple[list[SectionKey], list[SectionKey]]  # training (validation still inside), test
ALL = "all"  # fold.index of train.py and the doctor: every fold that leaves something to train on
LEAK = "sections of one group (patient) on both sides of the split"


@dataclass(frozen=True)
class FoldStrategy:
    """Base of the strategies.

    Args:
        name: shown in tables.
        index: the fold of this run, from 0.
        validation: share of the training groups (sections where there are fewer than three groups)
          that is set aside to choose the epoch; 0 for none. Fewer than three training sections also
          give none.
        seed: of whatever is drawn at random.
        allow_leak: accept one group on both sides; every table then says so.
    """

    name: str = ""
    index: int = 0
    validation: float = 0.2
    seed: int = 0
    allow_leak: bool = False

    def folds(self, keys: Sequence[SectionKey]) -> list[Fold]:
        """All folds of these sections, in an order that does not change from run to run."""
        raise NotImplementedError

    def possible(self, keys: Sequence[SectionKey]) -> list[int]:
        """Numbers of the folds that leave something on both sides."""
        return [index for index, (rest, test) in enumerate(self.folds(keys)) if rest and test]

    def checked(self, keys: Sequence[SectionKey]) -> list[Fold]:
        """All folds.

        Raises:
            InputError: one that is no pair of lists of these keys, or has a key on both sides.
        """
        known = set(keys)
        return [_checked(fold, known, type(self).__name__) for fold in self.folds(keys)]

    def split(self, keys: Sequence[SectionKey]) -> Split:
        """The split of this fold.

        Raises:
            InputError: see `checked` and `one_of`.
        """
        return self.one_of(self.checked(keys))

    def one_of(self, folds: Sequence[Fold]) -> Split:
        """The split of this fold, all folds being known.

        Raises:
            InputError: no such fold, an empty side, or a leak that was not asked for.
        """
        self._check_index(len(folds))
        rest, test = folds[self.index]
        if not rest or not test:
            raise InputError(
                f"fold {self.index}: {len(rest)} training and {len(test)} test sections; it needs"
                " more groups, or another fold"
            )
        leaks = self._leaks(rest, test)
        train, val = _partition(rest, set(self._validation(rest)))
        ids = [section_ids(side) for side in (train, val, test)]
        return Split(self.index, len(folds), ids[0], ids[1], ids[2], leaks)

    def _check_index(self, n: int) -> None:
        if not isinstance(self.index, int):
            raise InputError(
                f"fold.index={self.index!r}: expected the number of a fold, from 0; train.py also"
                " takes all"
            )
        if not 0 <= self.index < n:
            raise InputError(
                f"fold.index={self.index}, but there are {n} folds, 0..{n - 1}; sweep with"
                f" fold.index='range({n})'"
            )

    def _leaks(self, rest: list[SectionKey], test: list[SectionKey]) -> list[str]:
        if not {k.group for k in rest} & {k.group for k in test}:
            return []
        if not self.allow_leak:
            raise InputError(
                f"fold {self.index}: {LEAK}: {_shared(rest, test)}; set fold.allow_leak=true to run"
                " it all the same, labelled"
            )
        return [LEAK]

    def _validation(self, keys: list[SectionKey]) -> list[SectionKey]:
        if self.validation <= 0 or len(keys) < 3:
            return []
        groups = sorted({key.group for key in keys})
        units = groups if len(groups) >= 3 else section_ids(keys)
        n = min(max(1, round(self.validation * len(units))), len(units) - 1)
        val_units = set(
            np.random.default_rng([self.seed, self.index]).choice(units, n, replace=False)
        )
        return [k for k in keys if (k.group if len(groups) >= 3 else k.section_id) in val_units]


@dataclass(frozen=True)
class LeaveOneGroupOut(FoldStrategy):
    """Each group (patient) is the test set once."""

    def folds(self, keys: Sequence[SectionKey]) -> list[Fold]:
        """As many folds as groups, in the order of their names."""
        groups = sorted({key.group for key in keys})
        return [_partition(keys, {k for k in keys if k.group == group}) for group in groups]


@dataclass(frozen=True)
class LeaveOneSectionOut(FoldStrategy):
    """Each section is the test set once, as in the literature: its patient's other sections may
    train.
    """

    allow_leak: bool = True

    def folds(self, keys: Sequence[SectionKey]) -> list[Fold]:
        """As many folds as sections, in the order of the keys."""
        return [_partition(keys, {key}) for key in keys]


@dataclass(frozen=True)
class GroupKFold(FoldStrategy):
    """Groups dealt at random into `n_folds` test sets."""

    n_folds: int = 5

    def folds(self, keys: Sequence[SectionKey]) -> list[Fold]:
        """`n_folds` folds, whose test sides differ in size by one group at most.

        Raises:
            InputError: fewer groups than folds.
        """
        groups = sorted({key.group for key in keys})
        if len(groups) < self.n_folds:
            raise InputError(
                f"fold.n_folds={self.n_folds}, but there are {len(groups)} groups: {groups}; set"
                f" fold.n_folds={len(groups)}"
            )
        shuffled = np.random.default_rng(self.seed).permutation(groups)
        groups_of_folds = [
            set(test_groups) for test_groups in np.array_split(shuffled, self.n_folds)
        ]
        return [
            _partition(keys, {k for k in keys if k.group in test_groups})
            for test_groups in groups_of_folds
        ]


@dataclass(frozen=True)
class AllSections(FoldStrategy):
    """Every section trains and none is tested: what it fits has no score of its own."""

    def folds(self, keys: Sequence[SectionKey]) -> list[Fold]:
        """One fold, with an empty test side."""
        return [(list(keys), [])]

    def possible(self, keys: Sequence[SectionKey]) -> list[int]:
        """The one fold, though it tests nothing; none without sections."""
        return [0] if keys else []

    def one_of(self, folds: Sequence[Fold]) -> Split:
        """All sections train.

        Raises:
            InputError: a fold other than the only one, or no section.
        """
        if self.index != 0:
            raise InputError(
                f"fold.index={self.index!r}, but the model on all sections is one fold; leave it"
                " at 0"
            )
        (every, _), *_ = folds
        if not every:
            raise InputError("the data set has no section to train on")
        return Split(0, 1, section_ids(every), [], [])


def _checked(fold: Fold, known: set[SectionKey], name: str) -> Fold:
    """A fold, if its two sides are sections of the data set that do not meet."""
    try:
        rest, test = map(list, fold)
        strangers = {*rest, *test} - known
        both = set(rest) & set(test)
    except (TypeError, ValueError) as error:
        raise InputError(
            f"{name}.folds: expected pairs of lists of section keys, training and test, got"
            f" {fold!r}"
        ) from error
    if strangers or both:
        fault = "not in the data set" if strangers else "on both sides of the split"
        raise InputError(f"{name}.folds: {fault}: {sorted(map(str, strangers or both))}")
    return rest, test


def _partition(keys: Sequence[SectionKey], test: set[SectionKey]) -> Fold:
    names = {key.section_id for key in test}  # hashes of texts are kept, those of keys are not
    rest = [key for key in keys if key.section_id not in names]
    return rest, [key for key in keys if key.section_id in names]


def section_ids(keys: Sequence[SectionKey]) -> list[str]:
    """The keys' section ids, in the same order."""
    return [key.section_id for key in keys]


def _shared(a: list[SectionKey], b: list[SectionKey]) -> list[str]:
    return sorted({k.group for k in a} & {k.group for k in b})
