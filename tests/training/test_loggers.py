"""TensorBoard, MLflow, W&B online, and the agent of its own sweeps."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
import yaml
from builders.wandb_server import wandb_server
from conftest import CHECKOUT, Run

from hespotex.common.errors import InputError
from hespotex.common.provenance import flat
from hespotex.results import loggers as module
from hespotex.results.loggers import check_packages

FAST = ["model=ridge", "data.panel.n_top=20"]
PAGE = CHECKOUT / "docs" / "howto" / "loggers.md"


def scores_of(folder: Path) -> dict[str, float]:
    metrics = json.loads((folder / "metrics.json").read_text())
    return {key: value for key, value in metrics.items() if key.startswith("test/")}


def test_tensorboard(train: Run) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    folder = train(*FAST, "logger=tensorboard")
    events = EventAccumulator(str(folder / "tensorboard"))
    events.Reload()
    expected = scores_of(folder)["test/pcc_gene"]
    assert events.Scalars("test/pcc_gene")[-1].value == pytest.approx(expected, rel=1e-6)
    assert "  tensorboard/ " in (folder / "run.txt").read_text()


def test_mlflow(train: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One run a fold, in an experiment of the sweep's name, finished."""
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    words = [*FAST, "logger=mlflow", "name=study", f"paths.outputs={tmp_path}"]
    folders = [train(*words, f"fold.index={i}", folder=tmp_path / str(i)) for i in range(2)]
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/mlflow.db")
    runs = mlflow.search_runs(experiment_names=["study"], output_format="list")
    found = {run.data.params["fold.index"]: run for run in runs}
    assert set(found) == {"0", "1"}
    for index, folder in enumerate(folders):
        run = found[str(index)]
        assert run.info.status == "FINISHED"
        assert run.info.run_name == f"ridge_leave_one_group_out{index}_seed0"
        expected = scores_of(folder)["test/pcc_gene"]
        assert run.data.metrics["test/pcc_gene"] == pytest.approx(expected)
        assert "test/pcc_gene.mean50" in run.data.metrics  # it knows no @


def test_wandb_online(small: list[str], tmp_path: Path) -> None:
    """A run a fold, grouped by the sweep's name, and one of the summary; scores arrive."""
    words = [*small, *FAST, "logger=wandb", "fold.index=0,1", "name=wb", "finalize=false"]
    with wandb_server() as server:
        environment = {**os.environ, **server.environment, "WANDB_DATA_DIR": str(tmp_path / "data")}
        done = subprocess.run(
            [sys.executable, "train.py", "-m", *words, f"paths.outputs={tmp_path}"],
            check=False, capture_output=True, text=True, env=environment, cwd=CHECKOUT,
        )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "not in W&B" not in done.stderr + done.stdout
    titles = {run["displayName"]: name for name, run in server.runs.items()}
    assert {run["groupName"] for run in server.runs.values()} == {"wb"}
    assert len(titles) == 3  # two folds and the summary
    for index in range(2):
        name = titles[f"ridge_leave_one_group_out{index}_seed0"]
        logged = [row["test/pcc_gene"] for row in server.history[name] if "test/pcc_gene" in row]
        expected = scores_of(tmp_path / "wb" / str(index))["test/pcc_gene"]
        assert logged == [pytest.approx(expected)]


@pytest.mark.parametrize("name", ["tensorboard", "mlflow"])
def test_without_the_package(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "find_spec", lambda _: None)
    with pytest.raises(InputError, match=rf"logger={name} needs .* pip install 'hespotex\[{name}"):
        check_packages({name: {"_target_": "nobody.Builds"}})


def sweep_of_the_page() -> dict[str, Any]:
    """The sweep that the page on loggers has."""
    block = PAGE.read_text().partition("```yaml\n")[2].partition("```")[0]
    found: dict[str, Any] = yaml.safe_load(block)
    return found


def test_the_agent_of_wandb_drives_train(
    small: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its own agent, told by a stand-in for the server what to run."""
    from wandb.wandb_agent import Agent

    for name, value in {
        "WANDB_MODE": "offline",
        "WANDB_DIR": str(tmp_path),
        "WANDB_DATA_DIR": str(tmp_path / "staged"),
        "WANDB_SWEEP_ID": "sweep1",
        "PYTHONPATH": str(CHECKOUT),
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "OMP_NUM_THREADS": "1",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("WANDB_RUN_ID", "")
    monkeypatch.setenv("WANDB_SWEEP_PARAM_PATH", "")
    monkeypatch.chdir(CHECKOUT)
    sweep = sweep_of_the_page()
    agent = Agent(Mock(), None)
    words = [word for word in small if not word.startswith("data=")]
    words += [f"paths.outputs={tmp_path}", "model.max_epochs=2", "data.panel.n_top=20"]
    agent._sweep_command = [*sweep["command"], "data=hest", *words]
    values = {
        key: {"value": (own.get("values") or [own.get("min")])[0]}
        for key, own in sweep["parameters"].items()
    }
    agent._command_run({"run_id": "trial7", "program": sweep["program"], "args": values})
    process = agent._run_processes["trial7"]
    assert process.wait() == 0
    folder = tmp_path / "wandb_trial7" / "fold0_seed0"
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["model"] == "mlp"
    config = json.loads((folder / "config.json").read_text())
    for key, given in values.items():
        assert flat(config)[key] == given["value"]
    (run,) = folder.glob("wandb/offline-run-*-trial7")
    (log,) = run.glob("*.wandb")
    assert sweep["metric"]["name"].encode() in log.read_bytes()
