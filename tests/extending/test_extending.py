"""A user's own project beside HESpotEx: encoder, reader, model, fold strategy, metric and nuclei,
with no edit of ours.
"""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import torch
from conftest import CHECKOUT, command, compose_config
from omegaconf import OmegaConf

from hespotex.common.errors import InputError
from hespotex.prediction.inference import predict
from hespotex.records.build import build
from hespotex.results.findings import PASS, read_audit
from hespotex.sections.readers.hest.folder import HestReader
from hespotex.summary import summarise
from hespotex.training.run import train

PROJECT = Path(__file__).parent / "project"
OWN = [
    "encoder=mean_colour",
    "data=spot_csv",
    "model=two_layers",
    "fold=named_groups",
    "metrics=top_spots",
    "nuclei=npy",
]
MPP = 0.7  # um per px of the demo
FAST = [
    "model.max_epochs=2",
    "data.panel.n_top=40",
    "data.reader.pitch_um=100",
    "~callbacks.progress",
]


@pytest.fixture(scope="module")
def data(small_demo: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small demo as the user has it: a CSV and an image a section, centroids of nuclei in
    arrays.
    """
    root = tmp_path_factory.mktemp("own")
    reader = HestReader(str(small_demo))
    for key in reader.section_keys():
        section = reader.read(key.section_id)
        name = f"{key.group}_{key.section_id}"
        places = pd.DataFrame(section.pos_px, index=section.barcodes, columns=["x", "y"])
        places.join(section.adata.to_df()).to_csv(root / f"{name}.csv", index_label="barcode")
        shutil.copy(section.pixels, root / f"{name}.tif")
        np.save(root / f"{name}.npy", section.pos_px)
    return root


def settings(data: Path, store: Path) -> list[str]:
    places = [
        f"data.reader.root={data}",
        f"data.reader.mpp={MPP}",
        f"nuclei.counter.source.folder={data}",
    ]
    return [*OWN, *FAST, *places, "fold.test_groups=[P3]", f"paths.store={store}"]


@pytest.fixture(scope="module")
def outputs(data: Path, store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `train.py --config-dir` leaves, given from the user's own folder."""
    folder = tmp_path_factory.mktemp("project")
    path = os.pathsep.join(map(str, (PROJECT, CHECKOUT)))
    words = ["--config-dir", str(PROJECT / "conf"), *settings(data, store), "name=mine"]
    done = command(str(CHECKOUT / "train.py"), *words, cwd=folder, PYTHONPATH=path)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "outputs" / "mine"


@pytest.fixture
def run(outputs: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(outputs, tmp_path / "mine")) / "fold0_seed0"


def test_a_run_with_everything_of_ones_own(run: Path) -> None:
    metrics = json.loads((run / "metrics.json").read_text())
    genes = pd.read_csv(run / "per_gene.csv")
    parts = ("data", "encoder", "model", "fold_strategy")
    assert [metrics[name] for name in parts] == [
        "spot_csv",
        "mean_colour",
        "two_layers",
        "named_groups",
    ]
    assert metrics["split"]["test"] == ["P3_DEMO5", "P3_DEMO6"]
    assert metrics["sizes"]["d_image"] == 6
    assert genes["top_spots"].between(0, 1).all()
    of_section = genes.groupby("section_id")["top_spots"].mean()
    for section in metrics["sections"]:
        assert section["top_spots"] == pytest.approx(of_section[section["section_id"]], abs=1e-5)
    assert metrics["test/top_spots"] == pytest.approx(of_section.mean(), abs=1e-5)


class TestTrust:
    """Classes of the user are built from a checkpoint only where the user says so."""

    @pytest.fixture(autouse=True)
    def _importable(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.syspath_prepend(str(PROJECT))
        monkeypatch.delenv("HESPOTEX_TRUST", raising=False)

    def predict(self, run: Path, data: Path, store: Path, folder: Path) -> None:
        slide = [f"slides={data}/P1_DEMO1.tif", f"mpp={MPP}", f"nuclei_folder={data}"]
        words = [
            f"checkpoint={run}/checkpoints/best.ckpt",
            *slide,
            f"output={folder}",
            f"paths.store={store}",
            "viewer_mb=null",
        ]
        predict(compose_config("predict", words, folder))

    def test_refused_with_the_way_out(
        self, run: Path, data: Path, store: Path, tmp_path: Path
    ) -> None:
        with pytest.raises(
            InputError, match=r"'mylab.model.TwoLayers'.* HESPOTEX_TRUST=mylab before the command"
        ):
            self.predict(run, data, store, tmp_path)

    def test_predicts(
        self, run: Path, data: Path, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HESPOTEX_TRUST", "mylab")
        self.predict(run, data, store, tmp_path)
        assert ad.read_h5ad(tmp_path / "P1_DEMO1.h5ad").n_vars == 40

    def test_audit_and_tables(self, run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HESPOTEX_TRUST", "mylab")
        summarise(run.parent)
        assert {finding.line() for finding in read_audit(run) if finding.verdict != PASS} == set()
        assert "| top_spots |" in (run.parent / "summary.md").read_text()
        assert "top_spots" in (run.parent / "sections.csv").read_text().partition("\n")[0]
        assert "top_spots" in (run.parent / "report" / "index.html").read_text()


class Table:
    """Something that is no table of nuclei."""

    centroids = np.zeros(5)


def narrow(module: Any, batch: Any) -> torch.Tensor:
    """Right while it trains, too few genes when it predicts."""
    return torch.as_tensor(module.network(batch.image_embedding))[:, : 40 if module.training else 2]


WRONG = [
    (
        "encoder.MeanColour.__call__",
        lambda *_: torch.zeros(3),
        r"mean_colour: expected a tensor of shape \(\d+, d\)",
    ),
    (
        "encoder.MeanColour.__call__",
        lambda *given: given[1].numpy(),
        r"mean_colour: expected a tensor.* got ndarray",
    ),
    (
        "reader.make_adata",
        lambda *_: ad.AnnData(np.ones((4, 3))),
        r"DEMO\d: expected obsm.* of shape \(4, 2\)",
    ),
    (
        "model.TwoLayers.expression",
        narrow,
        r"TwoLayers.expression: expected .*, 40\), got \(\d+, 2\)",
    ),
    (
        "folds.NamedGroups.folds",
        lambda _, keys: [(keys, keys[:1])],
        r"NamedGroups.folds: on both sides.*P1_DEMO1",
    ),
    (
        "folds.NamedGroups.folds",
        lambda _, keys: [keys],
        r"NamedGroups.folds: expected pairs of lists of section keys",
    ),
    (
        "metric.TopSpots.__call__",
        lambda *_: np.zeros(7),
        r"metrics.top_spots: expected one .* 40 genes, got \(7,\)",
    ),
    (
        "metric.TopSpots.__call__",
        lambda *_: "good",
        r"metrics.top_spots: expected numbers, got str",
    ),
    (
        "nuclei.nuclei_table",
        lambda _: Table(),
        r"nuclei-npy of P1_DEMO1: expected centroids .*\(n_nuclei, 2\)",
    ),
]


class TestBadReturns:
    """What has the wrong shape ends in words that name it."""

    @pytest.fixture(autouse=True)
    def _importable(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.syspath_prepend(str(PROJECT))

    @pytest.mark.parametrize(("place", "give", "message"), WRONG)
    def test_of(
        self,
        data: Path,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        place: str,
        give: Callable[..., Any],
        message: str,
    ) -> None:
        monkeypatch.setattr(f"mylab.{place}", give)
        words = [*settings(data, tmp_path / "store"), f"hydra.searchpath=[file://{PROJECT}/conf]"]
        with pytest.raises(InputError, match=message):
            train(compose_config("train", words, tmp_path))
        assert not (tmp_path / "metrics.json").exists()


def test_a_metric_does_not_take_a_name_that_stands_for_another() -> None:
    from hespotex.metrics import own_metrics

    ones: Any = torch.ones(2, 3)
    with pytest.raises(InputError, match=r"metrics.pcc_gene: this name is taken"):
        own_metrics({"pcc_gene": lambda *_: 1.0}, ones, ones, ones, taken=["pcc_gene"])
    genes, row = own_metrics(
        {"one": lambda *_: 1.5, "each": lambda *_: [1.0, np.nan, 2.0]}, ones, ones, ones, taken=[]
    )
    assert row == {"one": 1.5, "each": 1.5}
    assert list(genes) == ["each"]


def test_examples_are_short() -> None:
    """They are quoted in the documentation."""
    for file in (PROJECT / "mylab").glob("[a-z]*.py"):
        lines = file.read_text().splitlines()
        assert len([line for line in lines if line.strip()]) <= 22, file


def test_every_group_of_the_project_composes(tmp_path: Path) -> None:
    for file in (PROJECT / "conf").rglob("*.yaml"):
        words = [f"hydra.searchpath=[file://{PROJECT}/conf]", f"{file.parent.name}={file.stem}"]
        config = compose_config("train", words, tmp_path)
        assert "mylab." in str(OmegaConf.to_container(config[file.parent.name]))


def test_a_target_that_is_not_there_is_named() -> None:
    with pytest.raises(InputError, match=r"mylabs"):
        build({"_target_": "mylabs.encoder.MeanColour"})
