"""From written runs to tables: who is averaged with whom, what is paired, what is said beside a
number.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from hespotex.common.errors import InputError
from hespotex.records.layout import PER_GENE
from hespotex.records.record import Runs
from hespotex.records.runs import read_genes, read_runs
from hespotex.results.cost import cost
from hespotex.results.html import cells
from hespotex.results.report import COST, across, headline, notes, render, title
from hespotex.results.tables.schema import MODELS
from hespotex.results.tables.sweep import Tables
from hespotex.splits.strategies import LEAK
from hespotex.summary import summarise

GENES = ["G1", "G2", "G3"]
GROUPS = {"A1": "A", "B1": "B", "B2": "B"}
BASE = {"A1": 0.2, "B1": 0.4, "B2": 0.6}
OFFSET = {"ridge": 0.0, "strict": 0.1, "shuffled": -0.4}
CONTROLS = {"strict_random": -0.1, "ridge_residuals": -0.15, "strict_residuals": -0.12}
ROLE = {"ridge": "baseline", "strict": "model", "shuffled": "control", "gene_mean": "baseline"}


def write_run(
    root: Path, model: str, fold: int, sections: list[str], seed: int = 0, **changes: Any
) -> None:
    """One run as `train.py` leaves it; gene G3 has no correlation in A1."""
    strategy = changes.get("fold_strategy", "leave_one_group_out")
    folder = root / f"{strategy}_{model}_{fold}_{seed}"
    folder.mkdir(parents=True)
    offset = (OFFSET | CONTROLS).get(model, np.nan) + 0.02 * seed
    pcc = {
        s: [
            BASE[s] + offset,
            BASE[s] + offset + 0.1,
            np.nan if s == "A1" else BASE[s] + offset - 0.1,
        ]
        for s in sections
    }
    pd.DataFrame(
        [
            {"section_id": s, "gene": gene, "pcc": value}
            for s in sections
            for gene, value in zip(GENES, pcc[s], strict=True)
        ]
    ).to_csv(folder / "per_gene.csv", index=False)
    rows = [
        {
            "section_id": s,
            "group": GROUPS[s],
            "n_spots": 50,
            "n_genes": 3,
            "pcc_gene": float(np.mean(known)) if known else np.nan,
            "pcc_gene_median": 0.3,
            "n_genes_scored": len(known),
            "rmse": 0.5,
            "pcc_gene@hvg50": 0.25,
            "ari": np.nan,
        }
        for s in sections
        for known in [[v for v in pcc[s] if np.isfinite(v)]]
    ]
    run = {
        "model": model,
        "role": ROLE.get(model, "control"),
        "data": "toy",
        "encoder": "histology",
        "fold_strategy": strategy,
        "seed": seed,
        "split": {"index": fold, "n_folds": 2},
        "leaks": [],
        "sections": rows,
        "cost": {
            "seconds": {"fit": 2.0, "predict": 1.0},
            "parameters": 10,
            "spots_per_second": 50.0,
            "peak_memory_gb": 1.5,
            "peak_gpu_gb": None,
        },
    }
    (folder / "metrics.json").write_text(json.dumps(run | changes))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for model in ROLE:
        write_run(tmp_path, model, 0, ["A1"])
        write_run(tmp_path, model, 1, ["B1", "B2"])
    return tmp_path


def tables(folder: Path) -> tuple[Runs, pd.DataFrame, Any]:
    found = Tables.read(folder)
    return found.runs, found.sections, found.models.set_index("model")


def test_sections_then_groups(folder: Path) -> None:
    _, sections, models = tables(folder)
    own = sections[sections["model"] == "strict"].set_index("section_id")["pcc_gene"]
    assert own.to_dict() == pytest.approx({"A1": 0.35, "B1": 0.5, "B2": 0.7})
    assert models.loc["strict", "pcc_gene"] == pytest.approx((0.35 + (0.5 + 0.7) / 2) / 2)
    assert models.loc["strict", "pcc_sections"] == pytest.approx((0.35 + 0.5 + 0.7) / 3)
    assert models.loc["strict", "n_groups"] == 2
    assert models.loc["strict", ["rmse", "pcc_gene@hvg50"]].tolist() == [0.5, 0.25]


def test_gain_is_paired_with_ridge_on_shared_genes(folder: Path) -> None:
    models = tables(folder)[2]
    assert models.loc["strict", "gain"] == pytest.approx(0.1)
    assert (models.loc["strict", "gain_low"], models.loc["strict", "gain_high"]) == pytest.approx(
        (0.1, 0.1)
    )
    assert models.loc["strict", "gain_p"] == 2 / 2**3
    assert models.loc["ridge", "gain"] == 0
    assert np.isnan(models.loc["ridge", "gain_p"])
    assert models.loc["shuffled", "gain"] == pytest.approx(-0.4)


def test_a_model_without_correlation_is_no_crash_and_takes_nothing_from_the_others(
    folder: Path,
) -> None:
    _, sections, models = tables(folder)
    assert np.isnan(
        models.loc["gene_mean", ["pcc_gene", "gain", "gain_p", "low"]].astype(float)
    ).all()
    assert models.loc["gene_mean", "genes_tested"] == 0
    shared = sections[sections["model"] == "ridge"].set_index("section_id")["n_shared"]
    assert shared.to_dict() == {"A1": 2, "B1": 3, "B2": 3}
    text = headline(models.reset_index())
    row = next(line for line in text.splitlines() if "gene_mean" in line)
    assert row.count("no value") >= 4 and "0 of 3" in row
    assert (
        "**gene_mean: no value** in A1, B1, B2: every gene is predicted constant there."
        in notes(models.reset_index())
    )
    assert models.loc["gene_mean", "n_groups"] == 0


def test_models_come_first_then_baselines_then_controls(folder: Path) -> None:
    assert list(tables(folder)[2].index) == ["strict", "ridge", "gene_mean", "shuffled"]


def test_seeds_are_averaged_inside_a_section(folder: Path) -> None:
    write_run(folder, "strict", 0, ["A1"], seed=1)
    write_run(folder, "strict", 1, ["B1", "B2"], seed=1)
    models = tables(folder)[2]
    assert models.loc["strict", "pcc_gene"] == pytest.approx((0.35 + 0.6) / 2 + 0.01)
    assert (models.loc["strict", "n_seeds"], models.loc["strict", "n_groups"]) == (2, 2)


def test_fold_strategies_stay_apart(folder: Path) -> None:
    for fold, section in enumerate(BASE):
        leaks = [LEAK] if section != "A1" else []
        write_run(
            folder, "ridge", fold, [section], fold_strategy="leave_one_section_out", leaks=leaks
        )
    found = Tables.read(folder)
    runs = found.runs
    sections = found.sections
    models = found.models
    both: Any = models[models["model"] == "ridge"].set_index("fold_strategy")
    assert set(both.index) == {"leave_one_section_out", "leave_one_group_out"}
    assert both.loc["leave_one_group_out", "leaks"] == []
    assert "(in 2 of 3 runs)" in both.loc["leave_one_section_out", "leaks"][0]
    assert (
        title("leave_one_section_out", runs)
        == "Leave one section out: within-patient in 2 of 3 folds"
    )
    assert title("leave_one_group_out", runs) == "Leave one group out"
    text = render(models, sections, runs, folder)
    assert text.count("### Per test section") == 2 and "ridge (leak)" in text


def test_missing_folds_and_few_groups_are_said(folder: Path) -> None:
    (folder / "leave_one_group_out_strict_1_0" / "metrics.json").unlink()
    found = notes(tables(folder)[2].reset_index())
    assert "**strict: folds missing:** [1]." in found
    assert "2 groups: an interval over so few means little." in found
    assert "3 sections: p cannot be below 0.25." in found


def test_per_section_and_per_group_tables(folder: Path) -> None:
    sections = tables(folder)[1]
    lines = across(sections[sections["model"] == "strict"], ["group", "section_id"]).splitlines()
    assert [cell.strip() for cell in lines[0].split("|")[2:-1]] == ["A1 (A)", "B1 (B)", "B2 (B)"]
    assert [cell.strip() for cell in lines[2].split("|")[2:-1]] == ["0.350", "0.500", "0.700"]
    groups = across(sections, ["group"]).splitlines()
    assert [cell.strip() for cell in groups[0].split("|")[2:-1]] == ["A", "B"]
    assert "0.600" in next(line for line in groups if "strict" in line)


def test_a_gene_may_be_called_na(tmp_path: Path) -> None:
    (tmp_path / PER_GENE).write_text("section_id,gene,pcc\n1,NA,0.5\n1,nan,\n")
    table = read_genes(tmp_path)
    assert table["gene"].tolist() == ["NA", "nan"] and table["section_id"].tolist() == ["1", "1"]
    np.testing.assert_array_equal(table["pcc"], [0.5, np.nan])


def test_genes_with_their_false_discovery_rate(folder: Path) -> None:
    genes: Any = Tables.read(folder).genes.set_index(["model", "gene"])
    assert genes.loc[("strict", "G1"), "pcc"] == pytest.approx(0.5)
    assert genes.loc[("strict", "G3"), "n_sections"] == 2
    assert genes.loc[("strict", "G3"), "n_groups"] == 1
    assert genes.loc[("strict", "G1"), "n_groups"] == 2
    assert genes.loc[("strict", "G1"), "gain"] == pytest.approx(0.1)
    assert genes.loc[("strict", "G1"), "p"] == pytest.approx(
        genes.loc[("strict", "G2"), "p"], abs=0.05
    )
    assert (genes["q"].dropna() >= genes["p"][genes["q"].notna()]).all()
    assert not genes.loc["gene_mean", "found"].any() and genes.loc["gene_mean", "q"].isna().all()


def test_the_page_says_where_a_gene_was_measured(folder: Path) -> None:
    """In sections and groups, and only where that differs between genes."""
    assert "groups that did" not in cells.genes(Tables.read(folder), "strict").header
    counts = {"measured_sections": [3, 3, 2], "measured_groups": [2, 2, 1]}
    counts |= {"trained_sections": [2, 2, 1], "trained_groups": [1, 1, 1]}
    for home in folder.glob("*_strict_*"):
        table = pd.read_csv(home / PER_GENE)
        n_sections = len(table) // len(GENES)
        more = {name: values * n_sections for name, values in counts.items()}
        table.assign(**more).to_csv(home / PER_GENE, index=False)
    page = cells.genes(Tables.read(folder), "strict")
    rows = {row[0]: dict(zip(page.header, row, strict=True)) for row in page.rows}
    assert rows["G3"]["sections that measured it"] == "2"
    assert rows["G3"]["sections that trained it, at least"] == "1"
    assert (rows["G1"]["groups that did"], rows["G3"]["groups that did"]) == ("2", "1")


def test_several_encoders_are_not_mixed(folder: Path) -> None:
    for model in ("ridge", "strict"):
        write_run(folder / "more", model, 0, ["A1"], encoder="quiltnet")
    models = tables(folder)[2]
    assert {"strict, histology", "strict, quiltnet", "ridge, quiltnet"} <= set(models.index)
    assert models.loc["strict, quiltnet", "gain"] == pytest.approx(0.1)


def test_runs_of_an_older_version_are_refused_in_words(folder: Path) -> None:
    path = folder / "leave_one_group_out_ridge_0_0" / "metrics.json"
    run = json.loads(path.read_text())
    del run["role"]
    path.write_text(json.dumps(run))
    with pytest.raises(InputError, match=r"metrics.json: scored by an older version; run it again"):
        read_runs(folder)


def test_the_summary_writes_all_tables(folder: Path) -> None:
    summarise(folder)
    assert {
        row["model"] for row in json.loads((folder / "results.json").read_text())["models"]
    } == set(ROLE)
    assert len(pd.read_csv(folder / "sections.csv")) == 12
    assert set(pd.read_csv(folder / "genes.csv")) >= {
        "gene",
        "pcc",
        "p",
        "q",
        "found",
        "gain",
        "gain_q",
    }
    text = (folder / "summary.md").read_text()
    for part in ("| strict", "### Gene sets", "hvg50", "### Cost of a run", "### Per group"):
        assert part in text
    assert "ARI" not in text  # nobody has labels here
    assert "GPU" not in text


def test_no_cost_is_taken_for_a_metric() -> None:
    """What no list of ours knows is shown as a metric of the user's own."""
    assert set(cost(10, {"fit": 2.0, "predict": 1.0}, 50)) <= set(MODELS)
    assert {name for name, *_ in COST} <= set(MODELS)


def test_genes_that_every_fold_has_are_scored_apart(folder: Path) -> None:
    """The fold of A1 has G1 and another gene instead of G2; a list that is the same everywhere has
    nothing to tell.
    """
    same = Tables.read(folder)
    np.testing.assert_allclose(same.sections["pcc_common"], same.sections["pcc_gene"])
    assert (same.models["n_common"] == same.models["n_genes"]).all()
    assert not any("panel of its own" in note for note in notes(same.models))
    for home in folder.glob("*_strict_0_*"):
        table = pd.read_csv(home / PER_GENE).replace({"gene": {"G2": "OTHER"}})
        table.to_csv(home / PER_GENE, index=False)
    tables = Tables.read(folder)
    sections = tables.sections[tables.sections["model"] == "strict"]
    assert (sections["n_common"] == 2).all()
    own = tables.scores[(tables.scores["model"] == "strict") & tables.scores["gene"].isin(GENES)]
    expected = own[own["gene"] != "G2"].groupby(["section_id", "seed"])["pcc"].mean()
    found = sections.set_index(["section_id", "seed"])["pcc_common"].sort_index()
    np.testing.assert_allclose(found, expected.sort_index())
    (note,) = [note for note in notes(tables.models) if "panel of its own" in note]
    row = tables.models[tables.models["model"] == "strict"].iloc[0]
    assert note == (
        "strict: each fold has a panel of its own; 2 of 3 genes are in that of every fold, and over"
        f" these PCC is {row['pcc_common']:.3f}."
    )
