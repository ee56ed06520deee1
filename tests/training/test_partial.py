"""Test sections that are measured in part: what is given, what is scored, and what is said of
it.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import Run
from kriging.fields import simulate

from hespotex.common.errors import InputError
from hespotex.common.files import read_json
from hespotex.kriging import Settings
from hespotex.results.partial import (
    BOTH,
    IMAGE,
    LABEL,
    METHODS,
    NEAREST,
    SPOTS,
    read_partial,
    summarised,
    write_partial,
)
from hespotex.summary import summarise
from hespotex.training.given import SERIAL, WAYS, drawn, side
from hespotex.training.partial import Section, given_of, predicted_by, scores

RIDGE = ["model=ridge", "data.panel.n_top=40"]
MEASURED = [
    "experiment=measured",
    "hydra.mode=RUN",
    "fold.index=0",
    "partial.shares=[0.5]",
    "partial.repeats=2",
    "partial.ways=[random,blocks,half,serial]",
]


def section_of(seed: int, field: float) -> Section:
    found = simulate(seed, field)
    return Section("A", "P", found.pos, found.measured, found.image, found.depth)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("share", [0.01, 0.05, 0.2, 0.5])
def test_given_and_scored_spots_do_not_overlap(way: str, share: float) -> None:
    pos = section_of(0, 1.0).pos
    given, scored = drawn(way, share, pos, np.random.default_rng(0))
    assert len(given) == max(1, round(share * len(pos)))
    assert not set(given) & set(scored) and len(set(given)) == len(given)
    if way == "half":
        axis = int(np.ptp(pos, axis=0).argmax())
        sides = pos[given, axis], pos[scored, axis]
        assert sides[0].max() <= sides[1].min() or sides[1].max() <= sides[0].min()
        assert abs(len(scored) - len(pos) / 2) < 1
    else:
        assert len(given) + len(scored) == len(pos)


def test_each_half_is_given_in_turn() -> None:
    pos = np.stack([np.arange(20.0), np.arange(20.0) % 3], axis=1)
    for draw, name in enumerate(["left", "right", "left"]):
        given, scored = drawn("half", 0.5, pos, np.random.default_rng(0), draw)
        assert side(pos, scored) == name
        assert (pos[given, 0].mean() < pos[scored, 0].mean()) == (name == "left")
        assert side(pos[:, ::-1], scored) == {"left": "upper", "right": "lower"}[name]


def test_hidden_values_reach_no_method() -> None:
    section = section_of(1, 1.0)
    given, scored = drawn("random", 0.3, section.pos, np.random.default_rng(0))
    other = section.measured.copy()
    other[scored] = -99
    changed = replace(section, measured=other)
    spread = np.ones(other.shape[1])
    one, _, error = predicted_by(section, given_of(section, given), scored, spread, Settings())
    two, _, same = predicted_by(changed, given_of(changed, given), scored, spread, Settings())
    for name in METHODS:
        np.testing.assert_array_equal(one[name], two[name])
    np.testing.assert_array_equal(error, same)


def test_scores_of_each_method() -> None:
    section = section_of(2, 1.0)
    given, scored = drawn("random", 0.5, section.pos, np.random.default_rng(0))
    spread = np.ones(section.measured.shape[1])
    found = scores(section, given_of(section, given), scored, spread, Settings())
    assert found[BOTH]["pcc"] > max(found[IMAGE]["pcc"], found[SPOTS]["pcc"])
    assert found[BOTH]["rmse"] < min(found[name]["rmse"] for name in (IMAGE, SPOTS, NEAREST))
    assert found[BOTH]["coverage"] == pytest.approx(0.95, abs=0.03)
    one = np.corrcoef(section.predicted[scored, 0], section.measured[scored, 0])[0, 1]
    all_of_them = [
        np.corrcoef(section.predicted[scored, g], section.measured[scored, g])[0, 1]
        for g in range(section.measured.shape[1])
    ]
    assert found[IMAGE]["pcc"] == pytest.approx(np.mean(all_of_them)) and one == all_of_them[0]


def test_the_table_says_where_both_are_above_each(tmp_path: Path) -> None:
    pcc = {IMAGE: 0.2, SPOTS: 0.1, NEAREST: 0.15}
    rows = pd.DataFrame(
        [
            {"model": "m", "fold_strategy": "f", "way": "random", "share": 0.2, "n_given": 9}
            | {"group": group, "section_id": group, "draw": draw, "method": name, "rmse": 1.0}
            | {"pcc": value + draw, "coverage": 0.9 if name == BOTH else np.nan}
            for group, both in (("A", 0.3), ("B", 0.18))
            for draw in range(2)
            for name, value in {**pcc, BOTH: both}.items()
        ]
    )
    row = summarised(rows).iloc[0]
    assert (row["n_above"], row["n_sections"]) == (1, 2)
    assert row["gain"] == pytest.approx((0.1 - 0.02) / 2)
    assert row[f"pcc {BOTH}"] == pytest.approx(0.5 + 0.24)
    write_partial(tmp_path, rows)
    said = (tmp_path / "partial.md").read_text()
    assert LABEL in said and "1 of 2" in said and (tmp_path / "partial.png").is_file()


def test_a_run_and_its_summary(train: Run, tmp_path: Path) -> None:
    plain = train(*RIDGE, "fold.index=0", folder=tmp_path / "plain")
    sweep = tmp_path / "sweep"
    sweep.mkdir()
    run = train(*RIDGE, *MEASURED, folder=sweep / "0")
    rows = read_partial([run])
    assert rows is not None and set(rows["method"]) == set(METHODS)
    serial = rows["way"] == SERIAL
    assert (~serial).sum() == 2 * 3 * 2 * 4  # sections, ways, draws, methods
    assert serial.sum() == 2 * 4  # each section from the other one of its patient, methods
    assert rows[["pcc", "rmse"]].notna().all().all()
    image = rows[(rows["method"] == IMAGE) & (rows["way"] == "random")]
    assert image["n_given"].gt(0).all()
    one, other = (read_json(folder / "metrics.json", "") for folder in (plain, run))
    assert one["test/pcc_gene"] == other["test/pcc_gene"]
    half = rows[(rows["way"] == "half")]
    assert half.groupby("section_id")["given"].nunique().eq(2).all()
    sources = rows[serial].groupby("section_id")["given"].unique().map(list).to_dict()
    one_id, other_id = sources
    assert sources == {one_id: [other_id], other_id: [one_id]}, "each from the other"
    summarise(sweep)
    assert LABEL in (sweep / "summary.md").read_text()
    said = (sweep / "summary.md").read_text().split("From one half of the tissue to the other")[1]
    assert said.count("| ridge ") >= 4, "two sections, each with either half given"
    assert LABEL in (sweep / "report" / "index.html").read_text()
    assert (sweep / "partial.png").is_file()
    assert "partial.md" in (sweep / "run.txt").read_text()


@pytest.mark.parametrize(
    ("word", "says"),
    [
        ("partial.ways=[here]", r"partial\.ways: expected some of random, .*, serial, got here"),
        ("partial.shares=[1.5]", r"partial\.shares: expected numbers between 0 and 1, got 1\.5"),
        ("partial.kriging.blocks=1", r"kriging\.blocks: expected at least 4, got 1"),
    ],
)
def test_words_that_mean_nothing(train: Run, word: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        train(*RIDGE, *MEASURED, word)
