"""One tissue under two ids: known pairs, what image files and spots tell, and merged groups."""

import logging
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from builders import picture, random_counts, section, square_grid, write_hest, write_pyramid
from conftest import Run
from hypothesis import given, settings
from hypothesis import strategies as st

from hespotex.common.errors import InputError
from hespotex.sections.duplicates import (
    DuplicatePair,
    compare,
    duplicate_leaks,
    known_pair,
    known_pairs,
    merge_groups,
)
from hespotex.sections.readers.hest.folder import HestReader
from hespotex.sections.section import Section, SectionKey, one_area, section_facts
from hespotex.sections.similarity import GRID_SHARE, ORIENTATIONS, look_at, same_grid


def test_known_pairs(shared: Path) -> None:
    pairs = {(pair.a, pair.b) for pair in known_pairs()}
    table = pd.read_csv(shared / "data" / "hest_v1_1_0_duplicate_candidates.csv")
    assert (
        pairs == set(zip(table["id_a"], table["id_b"], strict=True))
        and len(pairs) == len(table) == 38
    )
    reason = "known to be one tissue in HEST-1k"
    assert all(
        known_pair(*ids) == DuplicatePair(*ids, reason)
        for a, b in pairs
        for ids in ((a, b), (b, a))
    )
    assert known_pair("SPA119", "SPA120") is None and known_pair("SPA93", "SPA93") is None
    assert {("SPA119", "SPA93"), ("MEND41", "NCBI535"), ("TENX128", "TENX155")} <= pairs


def keys_of(groups: dict[str, str]) -> list[SectionKey]:
    return [SectionKey(name, group) for name, group in groups.items()]


def test_groups_of_a_pair_become_one(caplog: pytest.LogCaptureFixture) -> None:
    keys = keys_of({"MISC1": "b", "TENX30": "a", "TENX31": "c", "X": "c", "Y": "d"})
    with caplog.at_level(logging.INFO):
        merged = merge_groups(keys, known_pairs())
    # in a chain, and with all of their groups
    assert [key.group for key in merged] == ["a + b + c"] * 4 + ["d"]
    assert [key.section_id for key in merged] == [key.section_id for key in keys]
    assert (
        "MISC1 and TENX30: known to be one tissue in HEST-1k; groups 'b' and 'a' are one"
        in caplog.text
    )


def test_one_half_of_a_pair_changes_nothing() -> None:
    keys = keys_of({"SPA119": "H", "SPA120": "H", "SPA1": "x"})
    assert merge_groups(keys, known_pairs()) == keys


names = st.sampled_from([f"s{i}" for i in range(8)])
some_keys = st.dictionaries(names, st.sampled_from("ABCDE"), min_size=1).map(keys_of)
some_pairs = st.lists(st.builds(DuplicatePair, names, names, st.just("test")))


@given(some_keys, some_pairs, st.randoms(use_true_random=False))
def test_merging_depends_on_no_order(
    keys: list[SectionKey], pairs: list[DuplicatePair], random: Any
) -> None:
    merged = merge_groups(keys, pairs)
    shuffled_keys = random.sample(keys, len(keys))
    turned = [DuplicatePair(p.b, p.a, p.reason) for p in random.sample(pairs, len(pairs))]
    assert set(merge_groups(shuffled_keys, turned)) == set(merged)


@given(some_keys, some_pairs)
def test_merging_is_idempotent_and_the_finest_that_joins_all_pairs(
    keys: list[SectionKey], pairs: list[DuplicatePair]
) -> None:
    merged = merge_groups(keys, pairs)
    assert merge_groups(merged, pairs) == merged
    group = {key.section_id: key.group for key in merged}
    assert all(group[p.a] == group[p.b] for p in pairs if {p.a, p.b} <= set(group))
    edges = {frozenset((p.a, p.b)) for p in pairs} | {
        frozenset((a.section_id, b.section_id))
        for a, b in combinations(keys, 2)
        if a.group == b.group
    }
    for a, b in combinations(group, 2):
        assert (group[a] == group[b]) == (b in reachable(a, set(group), edges))


def reachable(start: str, nodes: set[str], edges: set[frozenset[str]]) -> set[str]:
    """Plain search, to compare with."""
    seen = {start}
    todo = [start]
    while todo:
        here = todo.pop()
        fresh = {node for node in nodes - seen if frozenset((here, node)) in edges}
        seen |= fresh
        todo.extend(fresh)
    return seen


@pytest.fixture(scope="module")
def demo_sections(small_demo: Path) -> list[Section]:
    reader = HestReader(str(small_demo))
    return [reader.read(key.section_id) for key in reader.section_keys()]


def pairs_of(sections: list[Section]) -> list[DuplicatePair]:
    """All pairs that are taken for one tissue."""
    return [pair for a, b in combinations(map(look_at, sections), 2) if (pair := compare(a, b))]


def test_real_neighbouring_sections_are_not_duplicates(shared: Path) -> None:
    from hespotex.sections.readers.her2st import Her2stReader

    reader = Her2stReader(str(shared / "data" / "her2st"), sections=["C2", "C3"])
    sections = [reader.read(key.section_id) for key in reader.section_keys()]
    assert pairs_of(sections) == []


def test_demo_holds_no_duplicates(demo_sections: list[Section]) -> None:
    assert pairs_of(demo_sections) == []


def test_equal_files_are_found(tmp_path: Path) -> None:
    image = write_pyramid(tmp_path / "a.tif", [picture(340, 340)], 2.0)
    (tmp_path / "b.tif").write_bytes(image.read_bytes())
    a = section(random_counts(25, 4, 1), section_id="a", image=image)
    b = section(random_counts(25, 4, 2), section_id="b", image=tmp_path / "b.tif")
    assert pairs_of([a, b]) == [DuplicatePair("a", "b", "the image files are equal")]


def tissue(folder: Path, name: str, seed: int, full: bool = False) -> Section:
    """Spots on a 12 x 12 grid, all of them or those on an irregular piece, with an image of its
    own.
    """
    pos = square_grid(12)[0]
    rng = np.random.default_rng(seed)
    keep = np.ones(len(pos), dtype=bool) if full else rng.random(len(pos)) < 0.6
    image = write_pyramid(folder / f"{name}.tif", [picture(64, 64, seed)])
    return section(
        rng.poisson(rng.uniform(5, 50, (keep.sum(), 1)), (keep.sum(), 6)).astype(np.float32),
        section_id=name,
        pos=pos[keep],
        image=image,
    )


@settings(max_examples=25, deadline=None)
@given(
    turn=st.integers(0, 7),
    shift=st.tuples(st.floats(-500, 500), st.floats(-500, 500)),
    seed=st.integers(0, 1000),
    full=st.booleans(),
    lost=st.booleans(),
)
def test_grid_is_known_again(
    tmp_path_factory: pytest.TempPathFactory,
    turn: int,
    shift: tuple[float, float],
    seed: int,
    full: bool,
    lost: bool,
) -> None:
    """Turned, shifted, in other px, with jitter, fewer genes, and one spot less."""
    folder = tmp_path_factory.mktemp("grid")
    rng = np.random.default_rng(seed)
    a = tissue(folder, "a", seed, full)
    moved = (a.pos_px @ ORIENTATIONS[turn] + shift) * 1.7 + rng.normal(0, 2, a.pos_px.shape)
    order = rng.permutation(len(moved))[1 if lost else 0 :]
    adata = a.adata[order, :4].copy()
    adata.obsm["spatial"] = moved[order]
    b = replace(a, key=SectionKey("b", "P2"), adata=adata, mpp=a.mpp / 1.7)
    assert len(adata) >= GRID_SHARE * len(moved)
    assert same_grid(look_at(a), look_at(b)) and same_grid(look_at(b), look_at(a))


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 1000), full=st.booleans())
def test_other_tissue_on_the_same_array_is_not_taken_for_it(
    tmp_path_factory: pytest.TempPathFactory, seed: int, full: bool
) -> None:
    folder = tmp_path_factory.mktemp("grid")
    a = tissue(folder, "a", seed, full)
    b = tissue(folder, "b", seed + 5000, full)
    assert not same_grid(look_at(a), look_at(b))
    # nothing but the grid is left
    assert same_grid(look_at(a.without_counts()), look_at(b.without_counts())) == full


def test_few_spots_or_another_pitch_are_no_evidence(tmp_path: Path) -> None:
    a = tissue(tmp_path, "a", 0)
    few = a.keep(range(5))
    assert not same_grid(look_at(few), look_at(few))
    assert not same_grid(look_at(a), look_at(replace(a, pitch_um=200.0)))


def test_leaks_in_words(tmp_path: Path) -> None:
    a = tissue(tmp_path, "a", 0)
    b = replace(tissue(tmp_path, "a", 0), key=SectionKey("b", "P2"))
    other = tissue(tmp_path, "c", 1)
    assert (
        duplicate_leaks([a], [other], allow_leak=False)
        == duplicate_leaks([], [a], allow_leak=False)
        == []
    )
    (leak,) = duplicate_leaks([a], [other, b], allow_leak=True)
    assert leak == "a (test) and b (training) look like the same tissue: the image files are equal"
    with pytest.raises(
        InputError,
        match=r"a \(test\) and b .*data.select.exclude .*fold.allow_leak=true .*labelled",
    ):
        duplicate_leaks([a], [other, b], allow_leak=False)


@pytest.fixture
def doubled(tmp_path: Path, small_demo: Path) -> Path:
    """Two demo sections, and the first again under the name of another patient."""
    from shutil import copytree

    root = copytree(small_demo, tmp_path / "doubled")
    for kind in ("st/{}.h5ad", "wsis/{}.tif"):
        (root / kind.format("DEMO3")).write_bytes((root / kind.format("DEMO1")).read_bytes())
    return root


def test_training_on_the_test_tissue_is_refused_or_labelled(train: Run, doubled: Path) -> None:
    run = [
        "model=ridge",
        f"data.reader.root={doubled}",
        "data.reader.sections=[DEMO1,DEMO3,DEMO5]",
        "fold.index=0",
    ]
    with pytest.raises(
        InputError, match=r"DEMO1 \(test\) and DEMO3 \(training\) look like the same tissue"
    ):
        train(*run)
    folder = train(*run, "fold.allow_leak=true", folder=doubled / "labelled")
    text = (folder / "metrics.json").read_text()
    assert "DEMO1 (test) and DEMO3 (training) look like the same tissue" in text
    assert "look like" in (folder / "split.json").read_text()
    off = train(*run, "data.detect_duplicates=false", folder=doubled / "off")
    assert "look like" not in (off / "metrics.json").read_text()


def test_small_sections_made_by_tests_differ_by_seed(tmp_path: Path) -> None:
    for seed in (1, 2):
        write_hest(tmp_path, f"T{seed}", seed=seed)
    reader = HestReader(str(tmp_path))
    assert pairs_of([reader.read("T1"), reader.read("T2")]) == []


@pytest.mark.parametrize(("shift", "same"), [(0.0, True), (300.0, True), (500.0, False)])
def test_patients_that_share_one_scan(tmp_path: Path, shift: float, same: bool) -> None:
    image = write_pyramid(tmp_path / "scan.tif", [picture(900, 400)], 2.0)
    a, b = (
        section(
            random_counts(25, 4, i), section_id=name, image=image, pos=square_grid()[0] + [x, 0]
        )
        for i, (name, x) in enumerate((("a", 0.0), ("b", shift * 0.6)))
    )
    assert bool(pairs_of([a, b])) == same
    facts = [section_facts(s) for s in (a, b)]
    assert one_area(facts[0]["area_px"], facts[1]["area_px"]) == same
    assert one_area(None, facts[0]["area_px"]) and one_area([], [])
