"""Files for other programs: strict JSON, stated columns in a fixed order, whole or absent, the same
when made again.
"""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from test_tables import ROLE, write_run

from hespotex.results import export
from hespotex.results.export import FILES
from hespotex.results.tables.latex import escaped
from hespotex.results.tables.schema import GENES, MODELS, SECTIONS, VERSION, ordered
from hespotex.summary import summarise


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    sweep = tmp_path / "sweep"
    for model in ROLE:
        write_run(sweep, model, 0, ["A1"], data_fingerprint="1f")
        write_run(sweep, model, 1, ["B1", "B2"], data_fingerprint="2f")
    return sweep


def test_every_column_is_explained_and_in_order(folder: Path) -> None:
    summarise(folder)
    results = json.loads((folder / "results.json").read_text())
    assert results["schema_version"] == VERSION
    names = ("models.csv", "sections.csv", "genes.csv")
    tables = {name: pd.read_csv(folder / name) for name in names}
    tables["models"] = pd.DataFrame(results["models"])
    for name, table in tables.items():
        known = [
            entry["column"]
            for entry in results["columns"][name]
            if entry["column"] in table and entry["meaning"]
        ]
        rest = [column for column in table if column not in known]
        assert all("@" in str(column) for column in rest), rest
        assert set(table) == {*known, *rest}
        if name != "models":  # JSON objects have no order
            assert list(table) == [*known, *rest]
    assert [entry["column"] for entry in results["columns"]["genes.csv"]] == list(
        tables["genes.csv"]
    )
    assert set(MODELS) & set(SECTIONS) >= {"rmse", "ari"}


def test_models_as_csv_have_the_numbers_of_the_summary(folder: Path) -> None:
    write_run(folder, "strict", 0, ["A1"], seed=1, leaks=["saw a_b", "saw c"])
    summarise(folder)
    table = pd.read_csv(folder / "models.csv").set_index("model")
    results = json.loads((folder / "results.json").read_text())
    for row in results["models"]:
        for name in ("pcc_gene", "low", "high", "gain", "gain_low", "gain_high", "gain_p"):
            expected = np.nan if row[name] is None else row[name]
            np.testing.assert_allclose(table.loc[row["model"], name], expected, rtol=1e-5)
    leaks = str(table.loc["strict", "leaks"])
    assert "saw a_b (in 1 of 3 runs); saw c (in 1 of 3 runs)" in leaks
    assert table.loc["gene_mean", "without_value"] == "A1; B1; B2"


END = "\\\\"  # of a row


def test_models_as_latex(folder: Path) -> None:
    write_run(folder, "strict", 0, ["A1"], seed=1, leaks=["saw a_b"])
    summarise(folder)
    table = pd.read_csv(folder / "models.csv").set_index("model")
    text = (folder / "models.tex").read_text()
    rows = [line for line in text.splitlines() if line.endswith(END)]
    assert len(rows) == 1 + len(table)
    assert {row.count("&") for row in rows} == {6} and text.count("{lrrrrrr}") == 1
    assert not any(re.search(r"(?<!\\)%", row) for row in rows)  # it would begin a comment
    strict = table.loc["strict"]
    (row,) = [row for row in rows if row.startswith("strict")]
    cells = [cell.strip() for cell in row.removesuffix(END).split("&")]
    assert cells[0] == r"strict$^\dagger$" and cells[1] == f"${strict['pcc_gene']:.3f}$"
    assert cells[2] == f"${strict['low']:.3f}$ to ${strict['high']:.3f}$"
    assert cells[4] == f"${strict['gain_low']:+.3f}$ to ${strict['gain_high']:+.3f}$"
    assert r"saw a\_b" in text
    (mean,) = [row for row in rows if row.startswith(r"gene\_mean")]
    assert mean.count("--") == 5  # no value, no gain, no p
    assert text.count(r"\midrule") == 3  # under the head, before baselines and before controls


def test_latex_prints_what_names_hold() -> None:
    assert escaped("a_b & 5% {x}\n^~\\#$") == (
        r"a\_b \& 5\% \{x\} \textasciicircum{}\textasciitilde{}\textbackslash{}\#\$"
    )


def test_json_is_strict(folder: Path) -> None:
    summarise(folder)

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is no JSON")

    results = json.loads((folder / "results.json").read_text(), parse_constant=refuse)
    row = next(row for row in results["models"] if row["model"] == "gene_mean")
    assert row["pcc_gene"] is None and row["without_value"] == ["A1", "B1", "B2"]
    assert len(results["sections"]) == 12
    assert results["about"]["Data"] == "toy"


def test_two_sweeps_can_be_put_one_after_the_other(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    write_run(other, "ridge", 0, ["A1"])
    for sweep in (folder, other):
        summarise(sweep)
    for name, n_rows in (("sections.csv", 12 + 1), ("genes.csv", 12 + 3), ("models.csv", 4 + 1)):
        both = pd.concat([pd.read_csv(sweep / name) for sweep in (folder, other)])
        assert len(both) == n_rows
        assert set(both["sweep"]) == {"sweep", "other"}
        keys = [
            column
            for column in ("sweep", "fold_strategy", "model", "seed", "section_id", "gene")
            if column in both
        ]
        assert not both.duplicated(keys).any()


def test_made_again_it_is_the_same_and_grows_with_the_runs(folder: Path) -> None:
    summarise(folder)
    before = {name: (folder / name).read_bytes() for name in FILES}
    summarise(folder)
    assert before == {name: (folder / name).read_bytes() for name in FILES}
    write_run(folder, "strict", 0, ["A1"], seed=1, extra_fact="of a later version")
    summarise(folder)
    assert len(pd.read_csv(folder / "sections.csv")) == 13


def test_an_interrupted_summary_leaves_the_old_files(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    summarise(folder)
    before = {path: path.read_bytes() for path in folder.glob("*.*")}
    write_run(folder, "strict", 0, ["A1"], seed=1)

    def broken(_: pd.DataFrame, path: Path, **__: object) -> None:
        Path(path).write_text("half a li")
        raise OSError("disk full")

    monkeypatch.setattr(pd.DataFrame, "to_csv", broken)
    with pytest.raises(OSError, match="disk full"):
        summarise(folder)
    assert before == {path: path.read_bytes() for path in folder.glob("*.*")}


def test_unknown_columns_come_last() -> None:
    table = pd.DataFrame(
        {"new": [1], "gene": ["a"], "pcc_gene@x": [2], "model": ["ridge"], "also": [3]}
    )
    assert list(ordered(table, GENES)) == ["model", "gene", "also", "new", "pcc_gene@x"]


def test_nothing_is_null() -> None:
    table = pd.DataFrame({"a": [1.0, np.nan], "b": [["x"], []]})
    assert export.records(table) == [{"a": 1.0, "b": ["x"]}, {"a": None, "b": []}]
