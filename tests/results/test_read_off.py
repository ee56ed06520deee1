"""What runs found when they asked whether sections are told apart by their embeddings."""

import json
from pathlib import Path

import pytest
from test_tables import write_run

from hespotex.common.errors import InputError
from hespotex.common.failures import Failures
from hespotex.records.runs import read_runs
from hespotex.results.questions import facts
from hespotex.results.read_off import HEADING, read_off
from hespotex.results.report import render
from hespotex.results.tables.sweep import Tables


def answers(section: float, group: float | None = None) -> dict[str, dict[str, float]]:
    more = {} if group is None else {"group": {"accuracy": group, "chance": 0.5}}
    return {"section": {"accuracy": section, "chance": 0.25}} | more


def test_means_over_runs_stand_in_the_report(tmp_path: Path) -> None:
    way = {"standardize": "training"}
    write_run(tmp_path, "ridge", 0, ["A1"], read_off=answers(0.5, 0.9), image_inputs=way)
    write_run(tmp_path, "ridge", 1, ["B1"], read_off=answers(0.7), image_inputs=way)
    write_run(tmp_path, "strict", 0, ["A1"])
    tables = Tables.read(tmp_path)
    line = read_off(tables.runs)
    assert line.startswith(
        "histology, standardize=training: section 0.60 (chance 0.25), group 0.90 (chance 0.50) ("
    )
    assert dict(facts(tables.runs))[HEADING] == line
    assert HEADING in render(tables.models, tables.sections, tables.runs, tmp_path)


def test_runs_of_before_say_nothing(tmp_path: Path) -> None:
    write_run(tmp_path, "ridge", 0, ["A1"])
    assert HEADING not in dict(facts(read_runs(tmp_path)))


def test_another_shape_is_refused_in_words(tmp_path: Path) -> None:
    write_run(tmp_path, "ridge", 0, ["A1"], read_off={"section": 0.5})
    failures = Failures("run")
    with pytest.raises(InputError):
        read_runs(tmp_path, failures)
    assert "read_off: expected accuracy and chance" in json.dumps(
        [failure.reason for failure in failures.found.values()]
    )
