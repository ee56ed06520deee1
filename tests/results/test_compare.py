"""Two sweeps, paired: differences that are known, what is said where they do not pair, and the
command line.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import command
from test_tables import write_run

from hespotex.common.errors import InputError
from hespotex.compare import compare
from hespotex.results.tables.comparison import HEADER


def sweep(root: Path, *models: str, **changes: Any) -> Path:
    for model in models:
        write_run(root, model, 0, ["A1"], **changes)
        write_run(root, model, 1, ["B1", "B2"], **changes)
    return root


def cells(text: str) -> list[dict[str, str]]:
    lines = [line for line in text.splitlines() if line.startswith("|")]
    split = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines]
    assert split[0] == HEADER
    return [dict(zip(HEADER, row, strict=True)) for row in split[2:]]


def test_models_of_one_sweep(tmp_path: Path) -> None:
    folder = sweep(tmp_path / "a", "ridge", "strict")
    (row,) = cells(compare(folder, folder, "ridge", "strict"))
    assert (row["A"], row["B"], row["B - A"]) == ("0.375", "0.475", "+0.1000")
    assert row["95 % interval"] == "+0.1000 to +0.1000"
    assert (row["p (sections)"], row["sections"], row["groups"]) == ("0.25", "3", "2")


def test_every_model_that_both_have(tmp_path: Path) -> None:
    a = sweep(tmp_path / "a", "ridge", "strict")
    b = sweep(tmp_path / "b", "strict", "ridge", "shuffled")
    rows = cells(compare(a, b))
    assert [row["model A"] for row in rows] == ["ridge", "strict"]
    assert {row["B - A"] for row in rows} == {"+0.0000"}
    assert {row["p (sections)"] for row in rows} == {"no value"}


def test_the_one_model_of_each_is_taken_without_being_asked(tmp_path: Path) -> None:
    a = sweep(tmp_path / "a", "ridge")
    b = sweep(tmp_path / "b", "strict", "gene_mean", "shuffled")
    named = cells(compare(a, b, "ridge", "strict"))
    assert named[0]["B - A"] == "+0.1000"
    assert cells(compare(a, b)) == named  # the only one, against the one of role model
    assert cells(compare(a, b, model_b="strict")) == cells(compare(a, b, model_a="ridge")) == named
    both = sweep(tmp_path / "both", "ridge", "strict")
    rows = [(row["model A"], row["model B"]) for row in cells(compare(a, both))]
    assert rows == [("ridge", "strict"), ("ridge", "ridge")]


def test_seeds_are_averaged_and_groups_weigh_alike(tmp_path: Path) -> None:
    a = sweep(tmp_path / "a", "ridge")
    b = sweep(tmp_path / "b", "ridge")
    sweep(tmp_path / "b", "ridge", seed=1)
    assert cells(compare(a, b))[0]["B - A"] == "+0.0100"
    path = b / "leave_one_group_out_ridge_0_0" / "per_gene.csv"
    table = pd.read_csv(path)
    table.assign(pcc=table["pcc"] + 0.2).to_csv(path, index=False)  # section A1, one of two seeds
    assert cells(compare(a, b))[0]["B - A"] == "+0.0600"


def test_genes_that_differ_everywhere_are_found(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    a = sweep(tmp_path / "a", "ridge")
    b = sweep(tmp_path / "b", "ridge")
    genes = [f"G{i}" for i in range(40)]
    for root, shift in ((a, 0.0), (b, 0.2)):
        for path in root.rglob("per_gene.csv"):
            ids = pd.read_csv(path)["section_id"].unique()
            pcc = (
                rng.normal(0.3, 0.005, (len(ids), 40))
                + shift * (np.arange(40) < 10)
                - shift * (np.arange(40) >= 35)
            )
            rows = {"section_id": np.repeat(ids, 40), "gene": genes * len(ids), "pcc": pcc.ravel()}
            pd.DataFrame(rows).to_csv(path, index=False)
    (row,) = cells(compare(a, b))
    assert (row["genes better"], row["genes worse"], row["genes tested"]) == ("10", "5", "40")
    (turned,) = cells(compare(b, a))
    assert (turned["genes better"], turned["genes worse"]) == ("5", "10")


def test_what_does_not_pair_is_said(tmp_path: Path) -> None:
    a = sweep(tmp_path / "a", "ridge", data_fingerprint="1f", unit="log counts")
    b = tmp_path / "b"
    write_run(
        b,
        "ridge",
        1,
        ["B1", "B2"],
        data_fingerprint="2f",
        unit="residuals",
        leaks=["the panel saw the test section"],
    )
    for path, scale in [
        *((path, 1.0) for path in a.rglob("per_gene.csv")),
        *((path, 1.5) for path in b.rglob("per_gene.csv")),
    ]:
        table = pd.read_csv(path).assign(mean_measured=scale)
        table[table["gene"] != "G2" if path.is_relative_to(b) else table["gene"] != ""].to_csv(
            path, index=False
        )
    text = compare(a, b)
    for part in (
        "unit differs: log counts in A, residuals in B",
        "sections: 3 in A, 2 in B, 2 in both",
        "genes: 3 in A, 2 in B, 2 in both",
        "measured expression differs in B1, B2: the two are not scored against the same truth",
        "data fingerprint differs in 1 of 1 folds",
        "LEAK in B: the panel saw the test section",
        "One group: there is no interval",
    ):
        assert part in text, text
    assert cells(text)[0]["95 % interval"] == "one group"
    same = compare(a, a)
    assert "differs" not in same and "LEAK" not in same


def test_errors_in_words(tmp_path: Path) -> None:
    a = sweep(tmp_path / "a", "ridge")
    b = sweep(tmp_path / "b", "strict")
    several = sweep(tmp_path / "several", "shuffled", "gene_mean")
    with pytest.raises(
        InputError,
        match=r"no model in common: A has ridge, B has shuffled, gene_mean; name two with --model",
    ):
        compare(a, several)
    with pytest.raises(InputError, match=r"no model 'mlp'; there are strict"):
        compare(a, b, "ridge", "mlp")
    other = sweep(tmp_path / "c", "ridge", fold_strategy="leave_one_section_out")
    with pytest.raises(InputError, match=r"no gene of a section, under one fold strategy"):
        compare(a, other)
    with pytest.raises(InputError, match=r"folder not found"):
        compare(a, tmp_path / "nowhere")


def test_command_line(tmp_path: Path) -> None:
    a = sweep(tmp_path / "a", "ridge")
    b = sweep(tmp_path / "b", "strict")
    output = tmp_path / "new" / "pairs.csv"
    named = ["--model-a", "ridge", "--model-b", "strict", "--output", str(output)]
    done = command("-m", "hespotex.compare", str(a), str(b), *named)
    assert done.returncode == 0, done.stderr
    assert "+0.1000" in done.stdout + done.stderr
    pairs = pd.read_csv(output)
    assert len(pairs) == 8  # G3 has no correlation in A1
    assert list(pairs.columns[:4]) == ["fold_strategy", "section_id", "group", "gene"]
    np.testing.assert_allclose(pairs["difference"], 0.1, atol=1e-6)
    several = sweep(tmp_path / "several", "shuffled", "gene_mean")
    wrong = command("-m", "hespotex.compare", str(a), str(several))
    assert wrong.returncode == 2 and "Traceback" not in wrong.stderr
    assert json.dumps("--model-a")[1:-1] in wrong.stderr
