"""Groups and folds: who trains, validates and tests."""

from collections.abc import Sequence
from dataclasses import replace

from hespotex.checkup.findings import Findings
from hespotex.data.folds import FoldStrategy
from hespotex.data.section import SectionKey
from hespotex.data.split import Split

SHOWN = 12  # ids in one list


def check_folds(fold: FoldStrategy, keys: Sequence[SectionKey], findings: Findings) -> tuple[Split | None, str]:
    """The split of this run, and in words: the groups, that split, and what is wrong with any other fold."""
    groups = sorted({key.group for key in keys})
    members = {group: [key.section_id for key in keys if key.group == group] for group in groups}
    lines = [f"groups: {'; '.join(f'{group} ({listed(ids)})' for group, ids in list(members.items())[:SHOWN])}"]
    split = findings.attempt(lambda: fold.split(keys))
    if split is None:
        return None, lines[0]
    for index in range(split.n_folds):
        findings.attempt(lambda index=index: replace(fold, index=index).split(keys))  # type: ignore[misc]
    sides = (("train", split.train), ("validation", split.val), ("test", split.test))
    parts = ", ".join(f"{side} {listed(ids) or 'none'}" for side, ids in sides)
    lines.append(f"fold {split.index} of {split.n_folds} ({fold.name}): {parts}")
    findings.notes += [f"this split is labelled: {leak}" for leak in split.leaks]
    if not split.val:
        findings.notes.append("no validation section: the number of epochs is fixed (more groups would choose it)")
    return split, "\n".join(lines)


def listed(ids: Sequence[str]) -> str:
    """Some ids, and how many more."""
    more = f" and {len(ids) - SHOWN} more" if len(ids) > SHOWN else ""
    return " ".join(ids[:SHOWN]) + more
