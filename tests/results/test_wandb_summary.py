"""The summary in W&B, without a network: what the offline run holds, and what happens where W&B
fails.
"""

import json
import logging
from pathlib import Path
from typing import Any

import pytest
from conftest import Run
from test_tables import write_run

from hespotex.summary import summarise

WANDB = ["logger=wandb", "logger.wandb.offline=true", "name=study"]


@pytest.fixture
def toy(tmp_path: Path) -> Path:
    """A sweep of two runs, of which one says that it went to W&B."""
    folder = tmp_path / "sweep"
    for fold, sections in enumerate((["A1"], ["B1", "B2"])):
        write_run(folder, "ridge", fold, sections)
    logger = {"csv": {}, "wandb": {"project": "hespotex", "group": "study", "offline": True}}
    (folder / "leave_one_group_out_ridge_0_0" / "config.json").write_text(
        json.dumps({"logger": logger})
    )
    return folder


@pytest.mark.maps
def test_the_summary_run_holds_tables_figures_maps_and_report(
    train: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import wandb

    monkeypatch.setenv("WANDB_DATA_DIR", str(tmp_path / "staged"))
    folder = tmp_path / "sweep"
    folder.mkdir()
    fold = train("model=ridge", "data.panel.n_top=50", *WANDB, folder=folder / "0")
    summarise(folder)
    assert wandb.run is None
    (of_fold,) = (fold / "wandb").glob("offline-run-*")
    (run,) = (folder / "wandb").glob("offline-run-*")
    media = run / "files" / "media"
    assert {path.name.rsplit("_", 2)[0] for path in (media / "table").iterdir()} == {
        "cross_validation",
        "sections",
        "genes",
    }
    images = [
        path.name.rsplit("_", 2)[0] for path in (media / "images" / "leave_one_group_out").iterdir()
    ]
    figures = {
        "sections",
        "genes",
        "calibration_values",
        "calibration_differences",
        "variance_ratio",
        "moran",
    }
    assert set(images) == figures | {"maps"}
    assert images.count("maps") == 3
    table = json.loads(next((media / "table").glob("cross_validation*")).read_text())
    row = dict(zip(table["columns"], table["data"][0], strict=True))
    assert row["model"] == "ridge" and 0 < row["pcc_gene"] < 1
    stored = next(run.glob("*.wandb")).read_bytes()
    for part in (
        b"study summary",
        b"study-report",
        b"index.html",
        b"results.json",
        b"sections.csv",
        b"genes.csv",
    ):
        assert part in stored
    other = next(of_fold.glob("*.wandb")).read_bytes()
    assert b"ridge_leave_one_group_out0_seed0" in other
    assert b"study" in other


def test_summarised_again_it_is_the_same_run(toy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import wandb

    asked: list[dict[str, Any]] = []

    def refuse(**facts: Any) -> None:
        asked.append(facts)
        raise wandb.errors.CommError("no route")

    monkeypatch.setattr(wandb, "init", refuse)
    for _ in range(2):
        summarise(toy)
    assert asked[0] == asked[1]
    assert (asked[0]["project"], asked[0]["group"], asked[0]["mode"]) == (
        "hespotex",
        "study",
        "offline",
    )
    assert asked[0]["resume"] == "allow" and asked[0]["id"]


@pytest.mark.parametrize("kind", ["CommError", "ValueError"])  # its own, and of what it uses
def test_a_failing_wandb_is_a_warning(
    kind: str, toy: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    import wandb

    def refuse(**_: Any) -> None:
        raise getattr(wandb.errors, kind, ValueError)("no route")

    finished = []
    monkeypatch.setattr(wandb, "init", refuse)
    monkeypatch.setattr(wandb, "finish", lambda: finished.append(True))
    with caplog.at_level(logging.WARNING):
        summarise(toy)
    assert f"but not in W&B: {kind}: no route" in caplog.text
    assert finished == [True]
    assert (toy / "report" / "index.html").is_file()


def test_without_a_wandb_logger_there_is_no_such_run(
    toy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import wandb

    def forbidden(**_: Any) -> None:
        raise AssertionError("nobody asked for W&B")

    (toy / "leave_one_group_out_ridge_0_0" / "config.json").write_text(
        json.dumps({"logger": {"csv": {}}})
    )
    monkeypatch.setattr(wandb, "init", forbidden)
    summarise(toy)
    assert not (toy / "wandb").exists()
