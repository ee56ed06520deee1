"""The benchmark as a user starts it: every model, every fold, one report; and what one run of it
promises.
"""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from conftest import CHECKOUT, Run, command, compose_config

from hespotex.common.errors import InputError
from hespotex.common.failures import failed_below

MODELS = sorted(path.stem for path in (CHECKOUT / "conf" / "model").glob("*.yaml"))
ROLES = {"model", "baseline", "control", "ceiling"}


def params() -> dict[str, str]:
    found: dict[str, str] = yaml.safe_load(
        (CHECKOUT / "conf/experiment/benchmark.yaml").read_text()
    )["hydra"]["sweeper"]["params"]
    return found


def test_the_benchmark_runs_all_models() -> None:
    assert sorted(params()["model"].split(",")) == MODELS
    assert params()["fold"].split(",") == ["leave_one_section_out", "leave_one_group_out"]


@pytest.mark.parametrize("model", MODELS)
def test_every_model_has_the_same_facts(model: str, tmp_path: Path) -> None:
    config = compose_config("train", [f"model={model}"], tmp_path).model
    assert config.name == model
    assert config.role in ROLES
    assert set(config) == set(compose_config("train", ["model=ridge"], tmp_path).model)


def test_all_folds_in_one_run_are_the_folds_one_by_one(train: Run, tmp_path: Path) -> None:
    few = ["model=mlp", "model.max_epochs=1", "data.reader.sections=[DEMO1,DEMO3,DEMO5]"]
    folder = train(*few, "fold.index=all", folder=tmp_path / "all")
    scores = [json.loads((folder / f"fold{i}" / "metrics.json").read_text()) for i in range(3)]
    assert [score["sections"][0]["group"] for score in scores] == ["P1", "P2", "P3"]
    alone = json.loads(
        (train(*few, "fold.index=1", folder=tmp_path / "one") / "metrics.json").read_text()
    )
    assert alone["sections"] == scores[1]["sections"]
    assert alone["data_fingerprint"] == scores[1]["data_fingerprint"]
    assert (folder / "fold2" / "csv" / "metrics.csv").is_file()
    assert not (folder / "metrics.json").exists()
    before = (folder / "fold0" / "metrics.json").stat().st_mtime_ns
    (folder / "fold1" / "metrics.json").unlink()
    train(*few, "fold.index=all", folder=folder)
    assert (folder / "fold0" / "metrics.json").stat().st_mtime_ns == before
    assert (folder / "fold1" / "metrics.json").is_file()


def test_folds_of_another_run_are_refused_and_not_called_failed(train: Run) -> None:
    few = ["fold.index=all", "data.reader.sections=[DEMO1,DEMO3,DEMO5]"]
    folder = train("model=ridge", *few)
    before = sorted(folder.rglob("*"))
    with pytest.raises(InputError, match=r"fold0 holds another run .*choose name=NEW"):
        train("model=gene_mean", *few)
    assert failed_below(folder) == [] and sorted(folder.rglob("*")) == before
    train("model=gene_mean", *few, "restart=true")
    assert json.loads((folder / "fold2" / "metrics.json").read_text())["model"] == "gene_mean"


def test_a_fold_that_cannot_be_read_does_not_stop_the_others(train: Run) -> None:
    words = ["model=ridge", "fold.index=all", "data.reader.sections=[DEMO1,DEMO3,DEMO5]"]
    folder = train(*words)
    (folder / "fold0" / "config.json").write_text("{")
    (folder / "fold2" / "metrics.json").unlink()
    with pytest.raises(InputError, match="1 of 3 folds failed: 0"):
        train(*words)
    assert (folder / "fold2" / "metrics.json").is_file()


def test_a_strategy_without_folds_is_nothing_to_do(
    train: Run, caplog: pytest.LogCaptureFixture
) -> None:
    folder = train("model=ridge", "fold.index=all", "data.reader.sections=[DEMO1,DEMO2]")
    assert not list(folder.rglob("metrics.json"))
    assert "leave_one_group_out: these sections have no such fold, nothing to do" in caplog.text


def test_a_fold_is_a_number_or_all(train: Run) -> None:
    with pytest.raises(
        InputError, match=r"fold.index='one': expected the number of a fold, from 0"
    ):
        train("model=ridge", "fold.index=one")


def test_metrics_of_a_run(train: Run) -> None:
    run = json.loads(
        (train("model=ridge", "data.panel.markers=[DEMO-M002]") / "metrics.json").read_text()
    )
    row = run["sections"][0]
    wanted = [
        "pcc_gene",
        "pcc_gene_median",
        "pcc_gene_q25",
        "pcc_gene_q75",
        "share_above_0.1",
        "spearman",
        "mse",
        "rmse",
        "mae",
    ]
    wanted += [
        "r2",
        "ccc",
        "auc",
        "ssim",
        "variance_ratio",
        "pcc_spot",
        "moran_correlation",
        "gene_gene_correlation",
    ]
    wanted += [f"pcc_gene@{name}" for name in ("mean50", "hvg50", "moran20", "markers", "oracle50")]
    assert all(np.isfinite(row[name]) for name in wanted), row
    assert np.isnan(row["ari"]) and np.isnan(row["nmi"])
    assert row["pcc_gene@oracle50"] > row["pcc_gene@hvg50"]
    assert run["role"] == "baseline"
    assert run["gene_sets"]["markers"] == ["DEMO-M002"] and len(run["gene_sets"]["moran20"]) == 20
    assert set(run["gene_sets"]["fitted_on"]) == set(run["split"]["train"])
    assert (
        run["cost"]["parameters"] > 0
        and run["cost"]["spots_per_second"] > 0
        and run["cost"]["peak_memory_gb"] > 0.01
    )
    assert set(run["cost"]["seconds"]) == {"embed", "teacher", "fit", "predict"}


def test_residuals_have_no_auc(train: Run) -> None:
    folder = train("model=ridge", "data/expression=pearson_residuals")
    row = json.loads((folder / "metrics.json").read_text())["sections"][0]
    assert np.isnan(row["auc"]) and np.isfinite(row["ccc"])


def test_the_ceiling_is_labelled_wherever_it_appears(train: Run) -> None:
    run = json.loads((train("model=ceiling") / "metrics.json").read_text())
    assert run["role"] == "ceiling"
    assert "a ceiling, not a model" in run["leaks"][0]


def test_benchmark_from_the_command_line(small: list[str], tmp_path: Path) -> None:
    """One command, no number of folds in it; both fold strategies in one report; the leak said; no
    value is no crash.
    """
    cheap = [
        "model=ridge,gene_mean",
        "data.reader.sections=[DEMO1,DEMO3,DEMO4]",
        f"paths.outputs={tmp_path}",
    ]
    done = command("train.py", "-m", "experiment=benchmark", *small, *cheap)
    assert done.returncode == 0, done.stdout + done.stderr
    folder = tmp_path / "benchmark_hest"
    rows: Any = pd.DataFrame(json.loads((folder / "results.json").read_text())["models"]).set_index(
        ["fold_strategy", "model"]
    )
    assert len(rows) == 4
    assert (rows["missing_folds"].map(len) == 0).all()
    assert rows.loc[("leave_one_section_out", "ridge"), "n_groups"] == 2
    assert rows.loc[("leave_one_section_out", "gene_mean"), "without_value"] == [
        "DEMO1",
        "DEMO3",
        "DEMO4",
    ]
    assert any(
        "both sides" in leak for leak in rows.loc[("leave_one_section_out", "ridge"), "leaks"]
    )
    assert rows.loc[("leave_one_group_out", "ridge"), "leaks"] == []
    text = (folder / "summary.md").read_text()
    assert re.search(
        r"## Leave one section out: within-patient in 2 of 3 folds.*## Leave one group out\n",
        text,
        re.S,
    )
    assert re.search(r"gene_mean +\| baseline +\| no value", text)
