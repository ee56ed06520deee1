"""Rules on who stands on which side: one split, no group and no tissue on both sides."""

from collections.abc import Iterable
from dataclasses import replace

from hespotex.auditing.case import Case
from hespotex.common.errors import InputError
from hespotex.records.trusted import rebuild
from hespotex.results.findings import FAIL, PASS, RECORDED, UNCHECKED, Finding
from hespotex.sections.duplicates import DuplicatePair, compare, known_pair
from hespotex.sections.section import one_area
from hespotex.splits.split import Split, selected
from hespotex.splits.split_file import SIDES
from hespotex.splits.strategies import FoldStrategy


def check_split(case: Case) -> Finding:
    """split.json, metrics.json and the checkpoint tell one split with disjoint sides, and the
    strategy gives it again.
    """
    record = case.record
    split = case.record.about["split"]
    copies = {"split.json": record.split_file, "metrics.json": record.metrics["split"]}
    for name, sides in copies.items():
        if differing := [side for side in SIDES if sorted(sides[side]) != sorted(split[side])]:
            return Finding(
                "split",
                FAIL,
                f"{name} has other sections in {', '.join(differing)} than the checkpoint",
            )
    if shared := set(record.ids("train")) & set(record.ids("val", "test")):
        return Finding("split", FAIL, f"{_listed(shared)} both train and validate or test")
    try:
        again = _split_again(case)
    except InputError as error:
        return Finding("split", UNCHECKED, f"{RECORDED}{error}")
    if differing := [side for side in SIDES if sorted(getattr(again, side)) != sorted(split[side])]:
        return Finding(
            "split", FAIL, f"fold={_fold(case)} gives other sections in {', '.join(differing)}"
        )
    return Finding(
        "split", PASS, f"fold={_fold(case)} gives it again; test {_listed(split['test'])}"
    )


def _fold(case: Case) -> str:
    """The strategy and its fold."""
    fold = case.record.config["fold"]
    return f"{fold['name']} fold.index={fold['index']}"


def _split_again(case: Case) -> Split:
    strategy: FoldStrategy = rebuild(case.record.config, "fold")
    split = replace(strategy, allow_leak=True).split(list(case.data_set.keys.values()))
    return selected(split, case.record.config["model"]["select_on"])


def check_groups(case: Case) -> Finding:
    """No group (patient) of a test section trains or validates."""
    record = case.record
    try:
        groups = {i: key.group for i, key in case.data_set.keys.items()}
        unsure = ""
    except InputError as error:
        groups = {i: facts["group"] for i, facts in record.known.items()}
        unsure = str(error)
    rest = {groups.get(i) for i in record.ids("train", "val") if i not in record.ids("test")} - {
        None
    }
    tested = {groups.get(i) for i in record.ids("test")} - {None}
    if shared := rest & tested:
        return Finding(
            "groups", FAIL, f"on both sides: {_listed(map(str, shared))}", _allowed(case)
        )
    if unsure:
        return Finding("groups", UNCHECKED, f"{RECORDED}{unsure}")
    return Finding(
        "groups",
        PASS,
        f"test {_listed(map(str, tested))}; training and validation {_listed(map(str, rest))}",
    )


def check_duplicates(case: Case) -> Finding:
    """No test section is the tissue of another one: by HEST-1k's known pairs, by hashes, by image
    file and grid of spots.
    """
    record = case.record
    test = record.ids("test")
    rest = [i for i in record.ids("train", "val") if i not in test]
    pairs = [pair for a in test for b in rest if (pair := _recorded_pair(case, a, b))]
    try:
        looks = [(case.data_set.look(a), case.data_set.look(b)) for a in test for b in rest]
        pairs = pairs or [pair for a, b in looks if (pair := compare(a, b))]
        unsure = ""
    except InputError as error:
        unsure = str(error)
    if pairs:
        reasons = "; ".join(f"{pair.a} (test) and {pair.b}: {pair.reason}" for pair in pairs)
        return Finding("duplicates", FAIL, reasons, _allowed(case))
    if unsure:
        return Finding("duplicates", UNCHECKED, f"{RECORDED}{unsure}")
    return Finding(
        "duplicates",
        PASS,
        f"{len(test)} test sections against {len(rest)} others: image files, grids, known pairs",
    )


def _recorded_pair(case: Case, a: str, b: str) -> DuplicatePair | None:
    """One tissue by what needs no data: the list of known pairs, and the hashes that the run has
    written down.
    """
    if pair := known_pair(a, b):
        return pair
    for name, label in (("image", "image files"), ("counts", "counts")):
        mine, other = (case.record.known.get(i, {}).get(name) for i in (a, b))
        areas = [case.record.known.get(i, {}).get("area_px") for i in (a, b)]
        if name == "image" and not one_area(*areas):
            continue
        if mine is not None and mine == other:
            return DuplicatePair(a, b, f"the {label} have the same hash")
    return None


def _allowed(case: Case) -> str | None:
    """The setting that let groups meet: a strategy that does so by itself, or the word for any
    strategy.
    """
    fold = case.record.config["fold"]
    if not fold["allow_leak"]:
        return None
    by_itself = type(rebuild(case.record.config, "fold")).allow_leak
    return f"fold={fold['name']}" if by_itself else "fold.allow_leak=true"


def _listed(names: Iterable[str]) -> str:
    return " ".join(sorted(names))
