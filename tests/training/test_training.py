"""What a run promises: nothing held out is seen, the same numbers again, and no work lost."""

import gc
import json
import os
import shutil
import signal
import weakref
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import torch
from conftest import Run, compose_config

from hespotex.batches.fold import Fold
from hespotex.cli.endings import stoppable
from hespotex.common.errors import InputError
from hespotex.records.build import build_fold

TAUGHT = [
    "model=dual_stream",
    "model.teacher.max_epochs=3",
    "nuclei=none",
    "model.module.nuclei=none",
]
SHORT = ["model.max_epochs=3", *TAUGHT, "model.select_on=validation"]
FRESH = [*SHORT, "seed=71"]  # its teacher is in no store yet


def weights(folder: Path, name: str = "last") -> dict[str, torch.Tensor]:
    state: dict[str, torch.Tensor] = torch.load(
        folder / "checkpoints" / f"{name}.ckpt", weights_only=True
    )["state_dict"]
    return state


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


@pytest.mark.maps
def test_outputs_of_a_run(train: Run) -> None:
    folder = train(*SHORT, "data.panel.markers=[DEMO-M002]")
    metrics = json.loads((folder / "metrics.json").read_text())
    assert [row["section_id"] for row in metrics["sections"]] == ["DEMO1", "DEMO2"]
    assert {row["group"] for row in metrics["sections"]} == {"P1"}
    assert metrics["leaks"] == []
    chances = {name: one["chance"] for name, one in metrics["read_off"].items()}
    assert chances == pytest.approx({"section": 1 / 6, "group": 1 / 3})
    assert metrics["data_fingerprint"] and metrics["versions"]["torch"] and metrics["git_commit"]
    predicted = ad.read_h5ad(folder / "predictions" / "DEMO1_predicted.h5ad")
    assert predicted.layers["measured"].shape == predicted.shape
    library = predicted.uns["spatial"]["DEMO1"]
    assert library["images"]["hires"].ndim == 3
    assert {"tissue_hires_scalef", "spot_diameter_fullres"} <= set(library["scalefactors"])
    assert len(list((folder / "maps").glob("DEMO1_*.png"))) == 3
    assert list((folder / "maps").glob("DEMO1_named_DEMO-M002.png"))
    genes = pd.read_csv(folder / "per_gene.csv")
    mean = genes[genes["section_id"] == "DEMO1"]["pcc"].mean()
    assert mean == pytest.approx(metrics["sections"][0]["pcc_gene"], abs=1e-4)


@pytest.mark.parametrize(
    "model",
    [
        "strict",
        "dual_stream",
        "ridge",
        "ridge_hest",
        "ridge_hest_tuned",
        "ridge calibrated",
        "coordinates",
        "nuclei",
        "retrieval",
    ],
)
def test_held_out_sections_leave_no_trace(
    train: Run, small_demo: Path, tmp_path: Path, model: str
) -> None:
    """Other counts and another image in the test sections: every fitted thing stays
    byte-identical.
    """
    changed = shutil.copytree(small_demo, tmp_path / "changed")
    for section in ("DEMO1", "DEMO2"):
        table = ad.read_h5ad(changed / "st" / f"{section}.h5ad")
        table.X = table.X[::-1].multiply(3).tocsr()
        table.write_h5ad(changed / "st" / f"{section}.h5ad")
        shutil.copy(small_demo / "slides" / "bare.tif", changed / "wsis" / f"{section}.tif")
    name, _, calibrated = model.partition(" ")
    words = [f"model={name}", *(["model.calibrate=true"] if calibrated else [])]
    words = SHORT if model == "dual_stream" else words
    one = train(*words, folder=tmp_path / "one")
    two = train(*words, f"data.reader.root={changed}", folder=tmp_path / "two")
    facts = [
        torch.load(f / "checkpoints" / "best.ckpt", weights_only=True)["hespotex"]
        for f in (one, two)
    ]
    assert facts[0]["genes"] == facts[1]["genes"]
    assert facts[0]["gene_sets"] == facts[1]["gene_sets"]
    assert facts[0]["panel_fitted_on"] == facts[1]["panel_fitted_on"]
    assert facts[0]["data_fingerprint"] != facts[1]["data_fingerprint"]
    assert same(weights(one, "best"), weights(two, "best"))


def test_calibration_changes_values_and_no_correlation(train: Run, tmp_path: Path) -> None:
    plain = train("model=ridge", folder=tmp_path / "plain")
    calibrated = train("model=ridge", "model.calibrate=true", folder=tmp_path / "calibrated")
    one, two = (
        json.loads((folder / "metrics.json").read_text())["sections"]
        for folder in (plain, calibrated)
    )
    assert [row["pcc_gene"] for row in one] == pytest.approx([row["pcc_gene"] for row in two])
    assert [row["rmse"] for row in one] != pytest.approx([row["rmse"] for row in two], rel=1e-3)


def test_a_network_is_not_calibrated(train: Run) -> None:
    with pytest.raises(InputError, match=r"mlp is trained over epochs; only models in closed form"):
        train("model=mlp", "model.calibrate=true")


def test_same_seed_same_numbers_other_seed_others(train: Run, tmp_path: Path) -> None:
    runs = [
        train(*SHORT, f"seed={seed}", folder=tmp_path / name)
        for name, seed in (("a", 1), ("b", 1), ("c", 2))
    ]
    assert same(weights(runs[0]), weights(runs[1]))
    assert not same(weights(runs[0]), weights(runs[2]))


def test_an_interrupted_run_ends_as_an_undisturbed_one(
    train: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = train(*SHORT, folder=tmp_path / "whole")
    from hespotex.modules.dual_stream import DualStreamModule

    def killed(self: DualStreamModule) -> None:
        if self.current_epoch == 2:
            os.kill(os.getpid(), signal.SIGTERM)

    with monkeypatch.context() as patch, pytest.raises(SystemExit) as end, stoppable():
        patch.setattr(DualStreamModule, "on_train_epoch_start", killed)
        train(*SHORT, folder=tmp_path / "killed")
    assert end.value.code == 143
    assert not (tmp_path / "killed" / "metrics.json").exists()
    resumed = train(*SHORT, folder=tmp_path / "killed")
    assert same(weights(whole), weights(resumed))
    assert (
        json.loads((whole / "metrics.json").read_text())["sections"]
        == json.loads((resumed / "metrics.json").read_text())["sections"]
    )


def test_a_finished_run_is_not_repeated(train: Run) -> None:
    folder = train("model=ridge")
    before = (folder / "metrics.json").stat().st_mtime_ns
    train("model=ridge")
    assert (folder / "metrics.json").stat().st_mtime_ns == before
    train("model=ridge", "restart=true")
    assert (folder / "metrics.json").stat().st_mtime_ns != before


@pytest.mark.parametrize("model", ["dual_stream", "published", "mlp"])
def test_a_fit_that_diverges_has_no_scores(train: Run, tmp_path: Path, model: str) -> None:
    words = [
        f"model={model}",
        *([] if model == "mlp" else ["model.teacher.max_epochs=2"]),
        "model.module.optimizer.lr=1e30",
        "model.max_epochs=3",
        "data.panel.n_top=20",
    ]
    with pytest.raises(
        InputError, match="predicted values are not finite numbers; the fit has diverged"
    ):
        train(*words)
    assert not (tmp_path / "run" / "metrics.json").exists()


def test_a_start_that_failed_does_not_keep_the_name(train: Run, tmp_path: Path) -> None:
    with pytest.raises(InputError):
        train("model=ridge", f"data.reader.root={tmp_path / 'nowhere'}")
    with pytest.raises(InputError, match="but there are 3 folds"):
        train("model=ridge", "fold.index=99")
    assert (train("model=ridge") / "metrics.json").is_file()


def test_another_config_does_not_overwrite(train: Run) -> None:
    folder = train("model=ridge")
    before = (folder / "metrics.json").read_bytes()
    with pytest.raises(
        InputError, match=r"model.module.neighbours: False there, True now.*name=NEW"
    ):
        train("model=ridge", "model.module.neighbours=true")
    assert (folder / "metrics.json").read_bytes() == before


def test_teacher_is_fitted_once(
    train: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = [*SHORT, f"store.root={tmp_path / 'elsewhere'}"]
    train(*words, folder=tmp_path / "first")
    from hespotex.training import teacher

    def refitted(*_: object) -> None:
        raise AssertionError("the teacher was fitted again")

    monkeypatch.setattr(teacher, "_latents", refitted)
    train(*words, "model.module.n_layers=1", folder=tmp_path / "second")
    assert len(list((tmp_path / "elsewhere" / "teachers").glob("*.pt"))) == 1
    with pytest.raises(AssertionError, match="fitted again"):
        train(*words, "model.module.d_latent=32", folder=tmp_path / "third")


def test_sections_of_one_patient_are_labelled(train: Run) -> None:
    folder = train("model=ridge", "fold=leave_one_section_out")
    assert "both sides" in json.loads((folder / "metrics.json").read_text())["leaks"][0]


@pytest.mark.usefixtures("train")
def test_a_sweep_score_is_no_test_score(small: list[str], tmp_path: Path) -> None:
    from hespotex.training.run import train as run_train

    config = compose_config(
        "train", [*small, "model=ridge", "model.select_on=validation"], tmp_path
    )
    score = run_train(config)
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert score == metrics["val_score"]
    assert not np.isclose(score, metrics["test/pcc_gene"])


def test_mixed_precision_on_the_cpu(train: Run, tmp_path: Path) -> None:
    """bf16-mixed trains, and its predictions follow those of 32 bits."""
    folders = [
        train(*SHORT, f"trainer.precision={p}", folder=tmp_path / p)
        for p in ("bf16-mixed", "32-true")
    ]
    a, b = (
        ad.read_h5ad(folder / "predictions" / "DEMO1_predicted.h5ad").X.ravel()
        for folder in folders
    )
    assert np.corrcoef(a, b)[0, 1] > 0.99


def test_one_section_can_be_learned_by_heart(train: Run) -> None:
    """A model that cannot overfit a tiny section has a defect."""
    long = [
        "model=mlp",
        "model.max_epochs=150",
        "model.module.dropout=0",
        "model.module.correlation_weight=0",
    ]
    folder = train(
        *long, "fold.validation=0", "data.reader.sections=[DEMO1,DEMO3]", "data.panel.n_top=20"
    )
    losses = pd.read_csv(folder / "csv" / "metrics.csv")["train/loss"].dropna()
    assert losses.iloc[-1] < 0.35 * losses.iloc[0]


def test_a_search_that_gets_no_validation_section_is_refused(
    train: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hespotex.training.run._searches", lambda: True)
    with pytest.raises(
        InputError, match="no section was set aside: that takes three training sections"
    ):
        train(
            "model=ridge", "model.select_on=validation", "data.reader.sections=[DEMO1,DEMO3,DEMO5]"
        )


def test_freed_memory_goes_back_after_each_fold(
    train: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or the folds of a sweep grow by the gaps of one another; also of one that fails."""
    times: list[int] = []
    monkeypatch.setattr("hespotex.training.run.return_freed_memory", lambda: times.append(1))
    train("model=ridge", "fold.index=all")
    assert len(times) == 3
    with pytest.raises(InputError):
        train("model=ridge", "fold.index=99")
    assert len(times) == 4


@pytest.mark.parametrize(
    "words",
    [["model=ridge"], ["model=strict"], ["model=mlp", "model.max_epochs=2"], FRESH],
    ids=["ridge", "strict", "mlp", "with a teacher"],
)
def test_a_fold_is_let_go_at_once(
    train: Run, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    """Not when Python next looks for objects that know one another: folds would pile up."""
    folds: list[weakref.ref[Fold]] = []

    def watched(*arguments: Any) -> Fold:
        fold = build_fold(*arguments)
        targets.extend(weakref.ref(own.target) for own in fold.sections.values())
        folds.append(weakref.ref(fold))
        return fold

    targets: list[weakref.ref[Any]] = []
    monkeypatch.setattr("hespotex.training.run.build_fold", watched)
    gc.disable()
    try:
        train(*words)
        assert folds and folds[0]() is None
        assert targets and all(target() is None for target in targets)
    finally:
        gc.enable()
