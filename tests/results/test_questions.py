"""What a sweep was asked, and the audits of its runs, in words."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from test_tables import write_run

from hespotex.records.record import RunRecord
from hespotex.records.runs import read_runs
from hespotex.results.export import write_results
from hespotex.results.html.cells import runs_table
from hespotex.results.html.chapter import audit
from hespotex.results.questions import audits, facts, fingerprint, panel_choice, versions
from hespotex.results.tables.sweep import Tables


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for fold, sections in enumerate((["A1"], ["B1", "B2"])):
        for model in ("ridge", "strict"):
            same: dict[str, Any] = {
                "data_fingerprint": f"{fold}f",
                "unit": "log counts",
                "git_commit": "abc",
                "versions": {"torch": "2"},
            }
            write_run(tmp_path, model, fold, sections, **same)
    return tmp_path


def changed(run: RunRecord, **facts: Any) -> RunRecord:
    return replace(run, metrics={**run.metrics, **facts})


def rule(name: str, verdict: str, asked: str | None = None) -> dict[str, str | None]:
    return {"rule": name, "verdict": verdict, "reason": f"{name} saw B1", "asked": asked}


def test_answers_are_said_once_and_differences_all(folder: Path) -> None:
    runs = read_runs(folder)
    answers = dict(facts(runs))
    assert answers["Data"] == "toy"
    assert answers["Models"] in ("ridge, strict", "strict, ridge")
    assert answers["Sections tested"] == "3, of 2 groups"
    assert answers["Genes"] == "3"
    runs[0] = changed(runs[0], git_commit="def")
    runs[1] = changed(runs[1], versions={"torch": "3", "numpy": "1"})
    assert dict(facts(runs))["Git commit"] in ("def, abc", "abc, def")
    assert dict(versions(runs)) == {"torch": "2, 3", "numpy": "1"}


@pytest.mark.parametrize(
    ("fitted_on", "strategy", "words"),
    [
        (["A1", "A2"], "kfold", "chosen on training sections"),
        (["A1", "A2", "B1"], "kfold", "chosen with the test sections, a leak"),
        (["A1", "V1"], "kfold", "chosen with sections that did not train (V1)"),
        ([], "kfold", "from a list"),
        (["A1", "B1"], "external", "those of the checkpoint"),
        (None, "kfold", None),
    ],
)
def test_what_the_genes_were_chosen_on(
    folder: Path, fitted_on: list[str] | None, strategy: str, words: str | None
) -> None:
    runs = read_runs(folder)
    split = {"index": 0, "n_folds": 2, "train": ["A1", "A2"], "val": ["V1"], "test": ["B1"]}
    recorded = {} if fitted_on is None else {"panel_fitted_on": fitted_on}
    runs[0] = changed(runs[0], fold_strategy=strategy, split=split, **recorded)
    assert panel_choice(runs[0]) == words
    assert dict(facts(runs))["Genes"] == ("3" if words is None else f"3; {words}")


def test_the_fingerprint_is_that_of_what_the_folds_were_given(folder: Path) -> None:
    runs = read_runs(folder)
    whole = fingerprint(runs)
    assert whole == fingerprint(runs[::-1])
    runs[0] = changed(runs[0], data_fingerprint="changed")
    assert fingerprint(runs) != whole
    assert fingerprint([changed(runs[0], data_fingerprint=None)]) == ""


def test_audits_in_words(folder: Path) -> None:
    assert audit(Tables.read(folder)) == "not audited"
    rules = [
        rule("split", "PASS"),
        rule("panel", "FAIL"),
        rule("epoch", "FAIL", "model.select_on"),
        rule("test", "NOT CHECKED"),
    ]
    homes = {name: folder / f"leave_one_group_out_{name}_0_0" for name in ("ridge", "strict")}
    for home, own in ((homes["ridge"], rules), (homes["strict"], rules[:1])):
        (home / "audit.json").write_text(json.dumps({"quick": False, "rules": own}))
    tables = Tables.read(folder)
    assert audit(tables) == "2 of 4 runs audited; panel failed in 1, epoch failed in 1"
    found = audits(tables.runs)
    assert found[homes["strict"]] == ([], "1 pass")
    failed, words = found[homes["ridge"]]
    assert failed == ["panel", "epoch"]
    assert (
        words == "1 pass; FAIL panel: panel saw B1; FAIL epoch: epoch saw B1 (as asked for by"
        " model.select_on); 1 not checked"
    )


def test_a_run_without_a_fingerprint_has_none_in_the_tables(tmp_path: Path) -> None:
    write_run(tmp_path, "ridge", 0, ["A1"])
    tables = Tables.read(tmp_path)
    write_results(tmp_path, tables)
    table = pd.read_csv(tmp_path / "sections.csv", keep_default_na=False)
    assert list(table["data_fingerprint"]) == list(table["unit"]) == [""]
    assert "None" not in runs_table(tables.runs, tmp_path).rows[0]
