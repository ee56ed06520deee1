"""Text of data is no formula in a CSV, and comes back as it was."""

import io
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hespotex.common.failures import Failure, note_outcome, read_failed
from hespotex.common.spreadsheet import marked, unmarked, write_csv
from hespotex.records.runs import read_genes

FORMULAS = [
    "=1+1",
    "=cmd|' /C calc'!A0",
    "+SUM(1)",
    "-2+3",
    "@SUM(1)",
    "\t=1",
    "\r=1",
    "'=1",
    "''@x",
    "-",
    "+",
    "=",
    "-A1",
]
PLAIN = ["TP53", "HLA-DRA", "1-Mar", "", "'", "it's", "-0.5", "+1", "-1e-3", "a=b", "NA", "'a"]


@pytest.mark.parametrize("text", FORMULAS)
def test_a_formula_is_text(text: str) -> None:
    assert marked(text) == f"'{text}" and unmarked(marked(text)) == text


@pytest.mark.parametrize("text", PLAIN)
def test_what_is_none_stays(text: str) -> None:
    assert marked(text) == text == unmarked(text)


@given(st.text(alphabet="'=+-@\t\r1a.e", max_size=6))
def test_there_and_back(text: str) -> None:
    assert unmarked(marked(text)) == text


def test_every_place_of_a_table(tmp_path: Path) -> None:
    numbers = [-1.5, 2.0]
    table = pd.DataFrame(
        {"=gene": numbers, "text": ["@x", "fine"], "kind": pd.Categorical(["-a", "b"])},
        index=["+i", "j"],
    )
    write_csv(table, tmp_path / "a.csv", index_label="name", float_format="%.6g")
    assert (tmp_path / "a.csv").read_text().splitlines() == [
        "name,'=gene,text,kind",
        "'+i,-1.5,'@x,'-a",
        "j,2,fine,b",
    ]
    fine = table.rename(columns={"=gene": "gene"}, index={"+i": "i"}).drop(columns=["text", "kind"])
    whole = io.StringIO()
    fine.to_csv(whole)
    write_csv(fine, tmp_path / "b.csv")
    assert (tmp_path / "b.csv").read_text() == whole.getvalue()


def test_what_we_read_again(tmp_path: Path) -> None:
    table = pd.DataFrame({"section_id": "=s", "gene": FORMULAS + PLAIN[:3], "pcc": 0.5})
    write_csv(table, tmp_path / "per_gene.csv", index=False)
    found = read_genes(tmp_path)
    assert list(found["gene"]) == list(table["gene"]) and set(found["section_id"]) == {"=s"}
    note_outcome(tmp_path, "=slide", Failure("InputError", "@reason"))
    assert read_failed(tmp_path) == {"=slide": "@reason"}
    assert "\n'=slide," in (tmp_path / "failed.csv").read_text()
