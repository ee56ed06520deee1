"""Splits: nothing on two sides, everything tested once, and every leak refused or labelled."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hespotex.checkup.findings import Findings
from hespotex.checkup.folds import check_folds
from hespotex.common.errors import InputError
from hespotex.sections.section import SectionKey
from hespotex.splits.split import Split, selected
from hespotex.splits.split_file import FileSplit
from hespotex.splits.strategies import (
    LEAK,
    Fold,
    FoldStrategy,
    GroupKFold,
    LeaveOneGroupOut,
    LeaveOneSectionOut,
)


def keys(*groups: str) -> list[SectionKey]:
    """Sections S0, S1, ... of these groups."""
    return [SectionKey(f"S{i}", group) for i, group in enumerate(groups)]


def groups_of(section_ids: list[str], among: list[SectionKey]) -> set[str]:
    return {key.group for key in among if key.section_id in section_ids}


def all_splits(strategy: FoldStrategy, among: list[SectionKey]) -> list[Split]:
    return [replace(strategy, index=i).split(among) for i in range(len(strategy.folds(among)))]


random_keys = st.lists(st.sampled_from("ABCDEFG"), min_size=2, max_size=14).map(
    lambda groups: keys(*groups)
)


@given(
    random_keys,
    st.sampled_from(["group", "section", "kfold"]),
    st.floats(0, 0.5),
    st.integers(0, 99),
    st.integers(2, 4),
)
@settings(max_examples=120, deadline=None, database=None)
def test_every_section_is_tested_once_and_no_side_shares_one(
    among: list[SectionKey], kind: str, validation: float, seed: int, n_folds: int
) -> None:
    n_groups = len({key.group for key in among})
    if kind != "section" and n_groups < (n_folds if kind == "kfold" else 2):
        return
    strategy: FoldStrategy = {
        "group": LeaveOneGroupOut(validation=validation, seed=seed),
        "section": LeaveOneSectionOut(validation=validation, seed=seed),
        "kfold": GroupKFold(validation=validation, seed=seed, n_folds=n_folds),
    }[kind]
    splits = all_splits(strategy, among)
    assert sorted(i for split in splits for i in split.test) == sorted(
        key.section_id for key in among
    )
    for split in splits:
        sides = [split.train, split.val, split.test]
        assert sorted(i for side in sides for i in side) == sorted(key.section_id for key in among)
        assert split.train and split.test and split.n_folds == len(splits)
        shared = groups_of([*split.train, *split.val], among) & groups_of(split.test, among)
        assert split.leaks == ([LEAK] if shared else [])
        assert kind == "section" or not shared
        if len(groups_of([*split.train, *split.val], among)) >= 3:
            assert not groups_of(split.train, among) & groups_of(split.val, among)


def test_leave_one_group_out_takes_whole_patients() -> None:
    among = keys("B", "C", "C", "C", "A")
    splits = all_splits(LeaveOneGroupOut(validation=0), among)
    assert [split.test for split in splits] == [["S4"], ["S0"], ["S1", "S2", "S3"]]
    assert splits[2].train == ["S0", "S4"] and not splits[2].val


@pytest.mark.parametrize(
    ("groups", "leaks"), [("AAB", [[LEAK], [LEAK], []]), ("ABC", [[], [], []])]
)
def test_leave_one_section_out_is_labelled_where_groups_are_shared(
    groups: str, leaks: list[list[str]]
) -> None:
    assert [split.leaks for split in all_splits(LeaveOneSectionOut(), keys(*groups))] == leaks


def test_a_leak_is_refused_unless_asked_for() -> None:
    strategy = LeaveOneSectionOut(allow_leak=False, index=1)
    with pytest.raises(InputError, match=r"fold 1: .*\['A'\]; set fold.allow_leak=true"):
        strategy.split(keys("A", "A", "B"))
    assert replace(strategy, index=2).split(keys("A", "A", "B")).leaks == []


@pytest.mark.parametrize("index", [-1, 3, 10])
def test_no_such_fold(index: int) -> None:
    with pytest.raises(
        InputError, match=r"there are 3 folds.* 0\.\.2; .*fold\.index='range\(3\)'"
    ) as error:
        LeaveOneGroupOut(index=index).split(keys("A", "B", "C"))
    assert f"fold.index={index}" in str(error.value)


def test_one_group_cannot_be_split() -> None:
    with pytest.raises(
        InputError, match=r"0 training and 2 test sections.* it needs more groups, or another fold"
    ):
        LeaveOneGroupOut().split(keys("A", "A"))


def test_the_doctor_asks_once_for_all_folds(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many as there are folds would take minutes with a thousand sections."""
    asked = []

    def folds(self: LeaveOneGroupOut, among: list[SectionKey]) -> list[Fold]:
        asked.append(self)
        return LeaveOneSectionOut().folds(among)

    monkeypatch.setattr(LeaveOneGroupOut, "folds", folds)
    splits, _ = check_folds(LeaveOneGroupOut(), keys(*"ABCDEF"), None, findings := Findings())
    assert len(asked) == len(splits) == 1
    assert not findings.problems


def test_a_fault_of_any_fold_is_told_by_every_fold() -> None:
    """Not only by the fold that has it."""
    among = keys("A", "B", "C")

    class Faulty(LeaveOneGroupOut):
        def folds(self, keys: Sequence[SectionKey]) -> list[Fold]:
            first, *rest = super().folds(keys)
            return [first, *((among, test) for _, test in rest)]

    with pytest.raises(InputError, match="on both sides of the split"):
        Faulty(index=0).split(among)


def test_more_folds_than_groups() -> None:
    with pytest.raises(
        InputError,
        match=r"fold.n_folds=5, but there are 2 groups: \['A', 'B'\]; set fold.n_folds=2",
    ):
        GroupKFold().split(keys("A", "A", "B"))


@pytest.mark.parametrize(
    "strategy", [LeaveOneGroupOut(validation=0.3), GroupKFold(validation=0.3, n_folds=3)]
)
def test_drawn_by_seed(strategy: FoldStrategy) -> None:
    among = keys(*"ABCDEFGHIJ")
    assert strategy.split(among) == strategy.split(among)
    others = [replace(strategy, seed=seed).split(among) for seed in range(1, 8)]
    assert any(other.val != strategy.split(among).val for other in others)


def test_kfold_deals_by_seed_and_not_by_fold() -> None:
    among = keys(*"ABCDEF")
    tests = {
        seed: [s.test for s in all_splits(GroupKFold(seed=seed, n_folds=3), among)]
        for seed in range(5)
    }
    assert (
        all(sum(map(len, folds)) == 6 for folds in tests.values())
        and len(set(map(str, tests.values()))) > 1
    )


@pytest.mark.parametrize(
    ("groups", "validation", "n_val", "whole_groups"),
    [
        ("AABBCCD", 0.34, 2, True),  # test A; B, C, D stay: one group
        ("AABB", 0.5, 0, True),  # two sections are too few
        ("ABBBBB", 0.4, 2, False),  # one group stays: sections of it
        ("ABBCC", 0.25, 1, False),
        ("ABCDE", 0.0, 0, True),
        ("ABCDE", 0.01, 1, True),  # at least one where any is wanted
    ],
)
def test_validation_by_group_or_by_section(
    groups: str, validation: float, n_val: int, whole_groups: bool
) -> None:
    among = keys(*groups)
    for seed in range(5):
        split = LeaveOneGroupOut(validation=validation, seed=seed).split(among)
        shared = groups_of(split.train, among) & groups_of(split.val, among)
        assert bool(shared) != whole_groups and bool(split.val) == bool(n_val)
        assert whole_groups or len(split.val) == n_val


def test_validated_on_test_says_so() -> None:
    split = LeaveOneGroupOut(validation=0.3).split(keys(*"ABCDE"))
    released = split.validated_on_test()
    assert released.val == released.test == split.test and sorted(released.train) == sorted(
        [*split.train, *split.val]
    )
    assert released.leaks == ["the epoch was chosen on the test section"] and split.leaks == []
    assert released.to_dict()["train"] == released.train


def test_what_chooses_the_epoch() -> None:
    split = LeaveOneGroupOut(validation=0.3).split(keys(*"ABCDE"))
    assert (
        selected(split, "validation") == split
        and selected(split, "test") == split.validated_on_test()
    )
    everything = selected(split, None)
    assert everything.val == [] and everything.test == split.test and everything.leaks == []
    assert sorted(everything.train) == sorted([*split.train, *split.val])
    with pytest.raises(
        InputError, match=r"model.select_on: expected validation, test or null, got 'train'"
    ):
        selected(split, "train")


@pytest.mark.parametrize("validation", [0.9, 1.0])
def test_validation_never_takes_all(validation: float) -> None:
    try:
        assert LeaveOneGroupOut(validation=validation).split(keys(*"ABCD")).train
    except InputError as error:
        assert "fold.validation" in str(error)


def split_file(folder: Path, *rows: str, header: str = "fold,section_id,split") -> FileSplit:
    path = folder / "splits.csv"
    path.write_text("\n".join([header, *rows]) + "\n")
    return FileSplit(path=str(path))


def test_file_split(tmp_path: Path) -> None:
    rows = [
        "0,S0,train",
        "0,S1,val",
        "0,S2,test",
        "1,S2,train",
        "1,S1,train",
        "1,S0,test",
        "1,S3,train",
    ]
    strategy = split_file(tmp_path, *rows)
    first, second = (
        replace(strategy, index=i, validation=0.3).split(keys(*"ABCD")) for i in (0, 1)
    )
    assert (first.train, first.val, first.test) == (["S0"], ["S1"], ["S2"]) and first.n_folds == 2
    # none named: carved out
    assert len(second.val) == 1 and sorted([*second.train, *second.val]) == ["S1", "S2", "S3"]


def test_file_split_keeps_ids_that_look_like_numbers(tmp_path: Path) -> None:
    strategy = split_file(tmp_path, "0,007,train", "0,008,test")
    assert strategy.split([SectionKey("007", "A"), SectionKey("008", "B")]).train == ["007"]


def test_file_split_leak_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"both sides of the split: \['A'\]; set fold.allow_leak=true"
    ):
        split_file(tmp_path, "0,S0,train", "0,S1,test").split(keys("A", "A"))


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (
            ["0,S0,train", "0,S9,test"],
            r"names sections that the data set lacks: \['S9'\]; it holds \['S0', 'S1'\]",
        ),
        (["0,S0,train", "0,S0,test", "0,S1,train"], r"sections on two sides of one fold: \['S0'\]"),
        (
            ["0,S0,train", "0,S1,tset"],
            "column split: expected one of test, train, val, found 'tset'",
        ),
        (["0,S0,train"], "1 training and 0 test sections"),
    ],
)
def test_bad_split_file(tmp_path: Path, rows: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        split_file(tmp_path, *rows).split(keys("A", "B"))


@pytest.mark.parametrize("header", ["fold,section,split", "a,b,c"])
def test_split_file_without_its_columns(tmp_path: Path, header: str) -> None:
    with pytest.raises(
        InputError, match=r"splits\.csv: expected columns fold, section_id, split, found \['"
    ):
        split_file(tmp_path, "0,S0,train", header=header).split(keys("A", "B"))


@pytest.mark.parametrize("path", ["", "nowhere/splits.csv"])
def test_missing_split_file(path: str) -> None:
    with pytest.raises(InputError, match="split file not found: ") as error:
        FileSplit(path=path).split(keys("A", "B"))
    assert repr(path) in str(error.value) and "set fold.path=FILE.csv" in str(error.value)


def test_empty_split_file(tmp_path: Path) -> None:
    (tmp_path / "empty.csv").touch()
    with pytest.raises(InputError, match=r"empty\.csv"):
        FileSplit(path=str(tmp_path / "empty.csv")).split(keys("A", "B"))


@pytest.mark.parametrize("again", ["0,S0,train", "0,S1,val", "0,S2,test"])
def test_a_section_named_twice_is_served_once(tmp_path: Path, again: str) -> None:
    try:
        split = split_file(tmp_path, "0,S0,train", "0,S1,val", "0,S2,test", again).split(
            keys(*"ABC")
        )
    except InputError as error:
        assert "S" in str(error)
    else:
        assert sorted([*split.train, *split.val, *split.test]) == ["S0", "S1", "S2"]


def test_section_both_train_and_val(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="S0"):
        split_file(tmp_path, "0,S0,train", "0,S0,val", "0,S1,train", "0,S2,test").split(
            keys(*"ABC")
        )
