"""The command lines as a user types them: sweeps, devices, predictions."""

import json
import os
import subprocess
import sys
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import torch
from conftest import command

from hespotex.records.checkpoint import read_checkpoint

TINY = ["model.max_epochs=2", "data.panel.n_top=50"]
NETWORK = [
    "model=dual_stream",
    "model.teacher.fit=null",
    "model.module.latent_weight=0",
    "nuclei=none",
    "model.module.nuclei=none",
]
THREE = "data.reader.sections=[DEMO1,DEMO3,DEMO5]"  # one of each patient


@pytest.fixture
def words(small: list[str], tmp_path: Path) -> list[str]:
    """A small run with its outputs in `tmp_path`."""
    return [*small, f"paths.outputs={tmp_path}", *TINY]


def test_cross_validation_summary_and_prediction(
    words: list[str], small_demo: Path, tmp_path: Path
) -> None:
    """A sweep and its table; again, and finished folds are skipped; a missing fold is named; a
    slide is predicted.
    """
    sweep = [
        "train.py",
        "-m",
        "experiment=cross_validation",
        *words,
        THREE,
        "model=ridge",
        "name=cv",
    ]
    done = command(*sweep)
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "cv"
    (row,) = json.loads((folder / "results.json").read_text())["models"]
    assert row["model"] == "ridge"
    assert row["missing_folds"] == []
    assert row["n_groups"] == 3
    about = read_checkpoint(folder / "final" / "ridge" / "checkpoints" / "best.ckpt")["hespotex"]
    assert sorted(about["split"]["train"]) == ["DEMO1", "DEMO3", "DEMO5"]
    (folder / "1" / "metrics.json").unlink()
    named = command("-m", "hespotex.summary", str(folder))
    assert "folds missing:** [1]" in named.stdout + named.stderr
    again = command(*sweep)
    assert again.stdout.count("nothing to do") == 3  # two folds and the model on all sections
    assert (folder / "1" / "metrics.json").is_file()

    store = next(word for word in words if word.startswith("paths.store"))
    slide = small_demo / "slides" / "bare.tif"
    output = tmp_path / "predicted"
    done = command(
        "predict.py", f"checkpoint={folder}", f"slides={slide}", f"output={output}", store
    )
    assert done.returncode == 0, done.stdout + done.stderr
    table = ad.read_h5ad(output / "bare.h5ad")
    assert table.n_vars == 50
    assert np.isfinite(table.X).all()
    assert table.uns["hespotex"]["model"] == "ridge"
    assert table.uns["hespotex"]["fold_strategy"] == "final"
    refused = command(*sweep[:-1], "name=table", "finalize=false", "fold.index=0")
    assert refused.returncode == 0 and not (tmp_path / "table" / "final").exists()


TORCHRUN = ["-m", "torch.distributed.run", "--nproc_per_node=2"]


@pytest.mark.parametrize(
    ("launcher", "block_gib"), [([], 2.0), (TORCHRUN, 0.0)], ids=["whole", "blocks by torchrun"]
)
def test_two_processes_give_the_numbers_of_one(
    words: list[str], tmp_path: Path, launcher: list[str], block_gib: float
) -> None:
    """DDP over gloo on sections, or blocks, of unequal size and odd number: same scores, same
    weights, no hang.
    """
    same = [*NETWORK, "model.module.dropout=0", f"data.batching.block_gib={block_gib}"]
    same += ["data.batching.blocks=3", "model.select_on=validation"]
    one = command("train.py", *words, *same, "trainer=cpu", "name=one")
    two = command(
        *launcher, "train.py", *words, *same, "trainer=ddp", "trainer.accelerator=cpu", "name=two"
    )
    assert one.returncode == 0, one.stderr
    assert two.returncode == 0, two.stderr
    folders = [tmp_path / name / "fold0_seed0" for name in ("one", "two")]
    scores = [json.loads((folder / "metrics.json").read_text()) for folder in folders]
    assert scores[0]["val_score"] == pytest.approx(scores[1]["val_score"], abs=1e-5)
    assert scores[0]["test/pcc_gene"] == pytest.approx(scores[1]["test/pcc_gene"], abs=1e-5)
    states = [
        torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
        for folder in folders
    ]
    for key, value in states[0].items():
        torch.testing.assert_close(value, states[1][key], rtol=1e-4, atol=1e-5)


def test_ddp_in_a_sweep_is_refused(words: list[str]) -> None:
    done = command("train.py", "-m", *words, "trainer=ddp", "fold.index=0,1", "name=x")
    assert done.returncode != 0
    assert "hydra/launcher=joblib" in done.stdout
    assert "Traceback" not in done.stderr


def test_folds_side_by_side(words: list[str], tmp_path: Path) -> None:
    joblib = ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2"]
    done = command(
        "train.py",
        "-m",
        *words,
        *joblib,
        THREE,
        "model=ridge",
        "fold.index=0,7,1,2",
        "name=side",
        OMP_NUM_THREADS="",
    )
    assert done.returncode == 2, done.stderr
    assert (
        "failed_jobs.csv, 1: fold.index=7, but there are 3 folds"
        in (tmp_path / "side" / "summary.md").read_text()
    )
    facts = [json.loads(path.read_text()) for path in (tmp_path / "side").glob("*/metrics.json")]
    assert len(facts) == 3
    cores = len(os.sched_getaffinity(0))
    # two folds share the cores
    assert {fact["cost"]["threads"] for fact in facts} == {max(cores // 2, 1)}


def test_optuna_search(words: list[str], tmp_path: Path) -> None:
    search = [
        "hydra/sweeper=search",
        *NETWORK,
        "model.select_on=validation",
        "model.module.optimizer.lr=interval(1e-4,1e-2)",
        "name=search",
    ]
    done = command("train.py", "-m", *words, *search, "hydra.sweeper.n_trials=1")
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "search"
    first = (folder / "0" / "metrics.json").stat().st_mtime_ns
    done = command("train.py", "-m", *words, *search, "hydra.sweeper.n_trials=3")
    assert done.returncode == 0, done.stderr
    assert (folder / "0" / "metrics.json").stat().st_mtime_ns == first
    table = pd.read_csv(folder / "trials.csv")
    scores = [json.loads((folder / f"{i}/metrics.json").read_text())["val_score"] for i in range(3)]
    np.testing.assert_allclose(table["score"], scores, rtol=1e-5)
    assert table["best"].tolist() == [score == max(scores) for score in scores]
    assert table["model.module.optimizer.lr"].nunique() == 3
    best = int(np.argmax(scores))
    words_of_it = f"trial {best} of 3 is used, the best by its validation score"
    assert words_of_it in done.stdout and words_of_it in (folder / "summary.md").read_text()
    assert json.loads((folder / "results.json").read_text())["models"][0]["n_seeds"] == 1


def test_wandb_offline_has_one_run_per_fold(words: list[str], tmp_path: Path) -> None:
    done = command(
        "train.py",
        "-m",
        *words,
        THREE,
        "model=ridge",
        "logger=wandb",
        "logger.wandb.offline=true",
        "fold.index=0,1",
        "name=wb",
        WANDB_DATA_DIR=str(tmp_path / "staged"),
    )
    assert done.returncode == 0, done.stderr
    runs = list((tmp_path / "wb").glob("*/wandb/offline-run-*"))
    assert len(runs) == 2
    assert list(runs[0].glob("files/media/images/maps*.png"))
    assert list(runs[0].glob("files/media/table/genes*.table.json"))
    (summary,) = (tmp_path / "wb" / "wandb").glob("offline-run-*")
    assert list(summary.glob("files/media/table/cross_validation*.table.json"))


@pytest.mark.parametrize("verb", ["compare", "cohort", "summary", "bundle", "info", "finalize"])
def test_a_command_that_trains_nothing_starts_without_torch(verb: str) -> None:
    code = f"import sys, hespotex.{verb}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
