"""The same tissue under two ids: pairs known from HEST-1k's metadata, and pairs that a look at the
data finds.
"""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib import resources
from itertools import product

import pandas as pd

from hespotex.common.errors import InputError
from hespotex.sections.section import Section, SectionKey
from hespotex.sections.similarity import Look, look_at

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class DuplicatePair:
    """Two ids, and why they are taken for one tissue."""

    a: str
    b: str
    reason: str


@lru_cache
def known_pairs() -> tuple[DuplicatePair, ...]:
    """Pairs of HEST-1k ids whose metadata agree in image size, pixel size and number of spots."""
    with (
        resources.files("hespotex.sections")
        .joinpath("hest_duplicates.csv")
        .open(encoding="utf-8") as file
    ):
        table = pd.read_csv(file, dtype=str)
    reason = "known to be one tissue in HEST-1k"
    return tuple(
        DuplicatePair(a, b, reason) for a, b in zip(table["id_a"], table["id_b"], strict=True)
    )


def known_pair(a: str, b: str) -> DuplicatePair | None:
    """The two ids, in this order, if they are one tissue in HEST-1k."""
    reason = _known_reasons().get(frozenset((a, b)))
    return DuplicatePair(a, b, reason) if reason else None


@lru_cache
def _known_reasons() -> dict[frozenset[str], str]:
    return {frozenset((pair.a, pair.b)): pair.reason for pair in known_pairs()}


def compare(a: Look, b: Look) -> DuplicatePair | None:
    """The pair, if any signal takes the two for one tissue."""
    reason = a.same_as(b)
    return DuplicatePair(a.section_id, b.section_id, reason) if reason else None


def duplicate_leaks(
    test: Sequence[Section], train: Sequence[Section], allow_leak: bool
) -> list[str]:
    """In words, every test section that is the tissue of a training section by image file and grid
    of spots.

    Raises:
        InputError: there is one, and leaks were not asked for.
    """
    looks = map(look_at, train)
    tested = map(look_at, test)
    pairs = [pair for a, b in product(tested, looks) if (pair := compare(a, b))]
    leaks = [
        f"{pair.a} (test) and {pair.b} (training) look like the same tissue: {pair.reason}"
        for pair in pairs
    ]
    if leaks and not allow_leak:
        raise InputError(
            f"{'; '.join(leaks)}. Leave one of them out (data.select.exclude or"
            " data.reader.sections), give them one group, or set fold.allow_leak=true to run it"
            " all the same, labelled. Pieces of several patients on one scan are told apart by"
            " their spots: these must not overlap; where they do, cut the scan into an image for"
            " each"
        )
    return leaks


def merge_groups(keys: Sequence[SectionKey], pairs: Iterable[DuplicatePair]) -> list[SectionKey]:
    """The keys, the groups of every pair made one; pairs with an id that is not among the keys do
    nothing.

    The name of a merged group lists its parts, so it depends neither on the order of keys nor on
    that of pairs.
    """
    group = {key.section_id: key.group for key in keys}
    parent = {name: name for name in group.values()}
    for pair in pairs:
        if pair.a in group and pair.b in group:
            a = _root(parent, group[pair.a])
            b = _root(parent, group[pair.b])
            if a != b:
                parent[max(a, b)] = min(a, b)
                log.info(
                    "%s and %s: %s; groups %r and %r are one",
                    pair.a,
                    pair.b,
                    pair.reason,
                    group[pair.a],
                    group[pair.b],
                )
    members: dict[str, list[str]] = {}
    for name in sorted(parent):
        members.setdefault(_root(parent, name), []).append(name)
    return [replace(key, group=" + ".join(members[_root(parent, key.group)])) for key in keys]


def _root(parent: dict[str, str], name: str) -> str:
    while parent[name] != name:
        name = parent[name]
    return name
