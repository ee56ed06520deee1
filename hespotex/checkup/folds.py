"""Groups and folds: who trains, validates and tests."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from hespotex.checkup.findings import Findings
from hespotex.common.errors import InputError
from hespotex.sections.section import SectionKey
from hespotex.splits.split import Split, selected
from hespotex.splits.strategies import ALL, Fold, FoldStrategy

SHOWN = 12  # ids in one list


def check_folds(
    fold: FoldStrategy, keys: Sequence[SectionKey], select_on: str | None, findings: Findings
) -> tuple[list[Split], str]:
    """The splits that training would use, and in words: the groups and these splits; notes what is
    wrong with any other fold.

    Args:
        select_on: `model.select_on`; without a choice of the epoch the validation sections train.
    """
    groups = sorted({key.group for key in keys})
    members = {group: [key.section_id for key in keys if key.group == group] for group in groups}
    first = (
        "groups:"
        f" {'; '.join(f'{group} ({listed(ids)})' for group, ids in list(members.items())[:SHOWN])}"
    )
    every = str(fold.index) == ALL
    indexes = (findings.attempt(lambda: _possible(fold, keys)) or []) if every else [fold.index]
    folds = findings.attempt(lambda: fold.checked(keys)) if indexes else None
    split_of = partial(_split, fold, folds or [], select_on)
    splits = [
        split
        for index in (indexes if folds else [])
        if (split := findings.attempt(partial(split_of, index)))
    ]
    for index in range(splits[0].n_folds if splits and not every else 0):
        findings.attempt(partial(split_of, index))
    leaks = dict.fromkeys(leak for split in splits for leak in split.leaks)
    findings.notes += [f"this split is labelled: {leak}" for leak in leaks]
    if select_on == "validation" and any(not split.val for split in splits):
        findings.notes.append(
            "no validation section: the number of epochs is fixed (more groups would choose it)"
        )
    return splits, "\n".join([first, *(_line(fold.name, split, select_on) for split in splits)])


def _split(fold: FoldStrategy, folds: Sequence[Fold], select_on: str | None, index: int) -> Split:
    return selected(replace(fold, index=index).one_of(folds), select_on)


def _possible(fold: FoldStrategy, keys: Sequence[SectionKey]) -> list[int]:
    """Numbers of the folds that `fold.index=all` trains."""
    if not (possible := fold.possible(keys)):
        raise InputError(
            f"fold={fold.name}: no fold leaves both training and test sections; it needs more"
            " groups"
        )
    return possible


def _line(name: str, split: Split, select_on: str | None) -> str:
    val = listed(split.val) or "none" + (
        "" if select_on else " (nothing is chosen on any: model.select_on=null)"
    )
    sides = f"train {listed(split.train)}, validation {val}, test {listed(split.test)}"
    return f"fold {split.index} of {split.n_folds} ({name}): {sides}"


def listed(ids: Sequence[str]) -> str:
    """Some ids, and how many more."""
    more = f" and {len(ids) - SHOWN} more" if len(ids) > SHOWN else ""
    return " ".join(ids[:SHOWN]) + more
