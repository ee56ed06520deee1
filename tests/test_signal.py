"""Does it work: the planted signal of the demo is found on patients never seen, and only that."""

import json
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from conftest import Run, compose_config

from hespotex.demo import make_demo


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_demo(tmp_path_factory.mktemp("signal") / "demo", spots_per_side=10)


@pytest.fixture
def settings(demo: Path, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    return [
        f"data.reader.root={demo}",
        f"paths.store={tmp_path_factory.getbasetemp() / 'signal_store'}",
        "encoder=histology",
    ]


def by_gene(folder: Path, demo: Path) -> pd.DataFrame:
    """Mean PCC over the test sections and driver of each gene, the best first."""
    scores = pd.read_csv(folder / "per_gene.csv").groupby("gene")["pcc"].mean().reset_index()
    return scores.merge(pd.read_csv(demo / "planted.csv"), on="gene").sort_values(
        "pcc", ascending=False
    )


@pytest.mark.parametrize("model", ["strict", "ridge"])
def test_planted_genes_come_out_on_top_and_noise_at_zero(
    train: Run, settings: list[str], demo: Path, model: str
) -> None:
    genes = by_gene(train(f"model={model}", *settings), demo)
    found = genes.groupby("driver")["pcc"].mean()
    assert found["morphology"] > 0.35
    assert found["region"] > 0.35
    assert found["neighbourhood"] > 0.2
    # not 0: library-size normalisation ties each gene to all others
    assert abs(found["none"]) < 0.12
    assert (genes["driver"].head(50) != "none").all()
    assert (genes["driver"].tail(50) == "none").mean() > 0.8


def test_the_gene_mean_has_no_value(train: Run, settings: list[str]) -> None:
    metrics = json.loads((train("model=gene_mean", *settings) / "metrics.json").read_text())
    assert np.isnan(metrics["test/pcc_gene"])
    assert {row["n_genes_scored"] for row in metrics["sections"]} == {0}


def test_shuffled_spots_score_nothing(train: Run, settings: list[str]) -> None:
    folder = train("model=shuffled", *settings)
    metrics = json.loads((folder / "metrics.json").read_text())
    assert abs(metrics["test/pcc_gene"]) < 0.06


def test_bare_slide_against_its_truth(
    train: Run, settings: list[str], demo: Path, tmp_path: Path
) -> None:
    """A slide of a fourth patient, on a grid: predictions follow the true rates of the planted
    genes.
    """
    from scipy.spatial import cKDTree

    from hespotex.prediction.inference import predict

    folder = train(*settings, "model=ridge")
    words = [
        f"checkpoint={folder}/checkpoints/best.ckpt",
        f"slides={demo}/slides/bare.tif",
        f"output={tmp_path / 'out'}",
    ]
    predict(compose_config("predict", [*words, f"paths.store={tmp_path}/store"], tmp_path))
    found = ad.read_h5ad(tmp_path / "out" / "bare.h5ad")
    truth = ad.read_h5ad(demo / "slides" / "bare_truth.h5ad")
    distance, nearest = cKDTree(truth.obsm["spatial"]).query(found.obsm["spatial"])
    near = distance * 0.7 < 40  # um: the square grid and the hexagonal truth do not coincide
    genes = [gene for gene in truth.var_names if gene in set(found.var_names)]
    a = np.asarray(found[near, genes].X)
    b = np.asarray(truth[nearest[near], genes].X)
    assert near.sum() > 20
    assert np.mean([np.corrcoef(a[:, i], b[:, i])[0, 1] for i in range(len(genes))]) > 0.5
