"""Units of earlier versions are read under today's names, so that old and new runs compare."""

import json
from pathlib import Path

import pytest
from conftest import Run

from hespotex.genes.expression import LogNormalised, LogRaw
from hespotex.records.manifest import MANIFEST
from hespotex.records.moved import OLD_LOG_NORMALISED, OLD_LOG_RAW, current_unit
from hespotex.records.runs import data_sets, read_run


def test_units_say_what_they_are() -> None:
    assert LogNormalised().unit == "log1p of counts per 10,000"
    assert LogNormalised(1e6, "panel").unit == "log1p of counts per 1,000,000 of the panel"
    assert LogNormalised(0.5).unit == "log1p of counts per 0.5"


@pytest.mark.parametrize(
    ("old", "expression", "now"),
    [
        (OLD_LOG_NORMALISED, {}, LogNormalised().unit),
        (OLD_LOG_NORMALISED, {"target_sum": 1e6}, LogNormalised(1e6).unit),
        (OLD_LOG_NORMALISED, {"library": "panel"}, LogNormalised(library="panel").unit),
        (OLD_LOG_RAW, {}, LogRaw.unit),
        ("counts of mine", {"target_sum": 3}, "counts of mine"),
    ],
)
def test_an_older_unit(old: str, expression: dict[str, float], now: str) -> None:
    assert current_unit(old, {"data": {"expression": expression}}) == now


def test_a_run_of_before_belongs_with_one_of_today(train: Run, tmp_path: Path) -> None:
    new = train("model=ridge", folder=tmp_path / "new")
    old = train("model=ridge", "fold.index=1", folder=tmp_path / "old")
    metrics = json.loads((old / "metrics.json").read_text())
    (old / "metrics.json").write_text(json.dumps(metrics | {"unit": OLD_LOG_NORMALISED}))
    (old / MANIFEST).unlink()
    runs = [read_run(new), read_run(old)]
    assert runs[0].unit == runs[1].unit == "log1p of counts per 10,000"
    assert len(data_sets(runs)) == 1
