"""Does it work: the planted signal of the demo is found on patients never seen, and only that."""

import json
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from conftest import Run, compose_config

from hespotex.demo import drivers, make_demo
from hespotex.demo.layout import plan_layout
from hespotex.demo.nuclei import draw_nuclei
from hespotex.demo.streams import stream
from hespotex.demo.texture import solid_parts
from hespotex.explain import explain


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
    columns = ["pcc", "trained_sections"]
    scores = pd.read_csv(folder / "per_gene.csv").groupby("gene")[columns].mean().reset_index()
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


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Patients measured by Visium, a panel of a third of the genes, legacy ST and Visium."""
    folder = tmp_path_factory.mktemp("signal") / "mixed"
    return make_demo(folder, n_patients=4, sections_per_patient=1, spots_per_side=12, mixed=True)


def test_planted_genes_are_found_wherever_they_were_measured(
    train: Run, settings: list[str], mixed: Path
) -> None:
    """On a patient left out: also those genes that one section alone could teach."""
    words = [f"data.reader.root={mixed}", "data.panel.measured_in=1", "model=ridge"]
    genes = by_gene(train(*settings, *words), mixed)
    assert sorted(genes["trained_sections"].unique()) == [1, 2, 3]
    for _, alike in genes.groupby("trained_sections"):
        planted = alike["driver"] != "none"
        noise = alike.loc[~planted, "pcc"]
        found = alike.loc[planted, "pcc"] > noise.quantile(0.95)
        assert found.mean() > 0.6
        assert alike.loc[planted, "pcc"].mean() > 0.25
        assert abs(noise.mean()) < 0.12


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


def true_drivers(section: int, side: int) -> pd.DataFrame:
    """What was planted at the spots of a section of the demo, its patches' nuclei first."""
    layout = plan_layout(stream(0, "layout", section), side)
    pixels = stream(0, "image", section)
    solid = solid_parts(pixels, layout)
    nuclei = draw_nuclei(stream(0, "nuclei", section), layout)
    at = np.clip(nuclei.xy.astype(np.int64), 0, layout.size_px - 1)
    nuclei = nuclei.take(solid[at[:, 1], at[:, 0]] > 0.5)
    names = ["number", "size", "elongation"]
    return pd.DataFrame(drivers.morphology(layout, nuclei), columns=names)


@pytest.fixture
def explained(
    train: Run, settings: list[str], demo: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The programmes of strict on the three patients, with the drivers as gene sets; made once."""
    sweep = tmp_path_factory.getbasetemp() / "explained_sweep"
    if (sweep / "programmes").is_dir():
        return sweep / "programmes"
    sweep.mkdir()
    for i in range(3):
        train("model=strict", *settings, f"fold.index={i}", folder=sweep / str(i))
    planted = pd.read_csv(demo / "planted.csv").groupby("driver")["gene"]
    sets = ["\t".join([str(driver), "planted", *genes]) for driver, genes in planted]
    (sweep / "drivers.gmt").write_text("\n".join(sets))
    explain(sweep, gene_sets=sweep / "drivers.gmt")
    return sweep / "programmes"


def test_programmes_name_what_was_planted(explained: Path) -> None:
    sets = pd.read_csv(explained / "gene_sets.csv")
    found = sets[sets["q"] < 0.05].groupby("programme")["gene_set"].agg(set)
    assert set().union(*found) == {"morphology", "region", "neighbourhood"}
    assert sum(len(own) == 1 for own in found) >= len(found) - 2
    assert (pd.read_csv(explained / "programmes.csv")["returned"] >= 2).all()


@pytest.mark.parametrize(
    ("driver", "statistic", "high", "low"),
    [
        ("elongation", "nuclei_elongation_mean_150um", "long nuclei", "round nuclei"),
        (
            "size",
            "large_fraction_150um",
            "large share of nuclei above",
            "small share of nuclei above",
        ),
        ("number", "nuclei_area_fraction_150um", "much of the area in", "little of the area in"),
    ],
)
def test_a_programme_tells_in_words_what_drives_it(
    explained: Path, driver: str, statistic: str, high: str, low: str
) -> None:
    """The programme that follows a driver most goes with the statistic of it, and says so."""
    scores = pd.read_csv(explained / "scores.csv").groupby("section_id")
    parts = []
    for i, (_, own) in enumerate(scores):
        programmes = own.filter(regex=r"^programme_\d$").reset_index(drop=True)
        parts.append(programmes.corrwith(true_drivers(i, 10)[driver]))
    r = pd.DataFrame(parts).mean()
    number = int(str(r.abs().idxmax()).rpartition("_")[2])
    sign = np.sign(r[f"programme_{number}"])
    assert r.abs().max() > 0.6
    statistics = pd.read_csv(explained / "statistics.csv").set_index(["programme", "name"])
    assert statistics.loc[(number, statistic), "r"] * sign > 0.3
    words = pd.read_csv(explained / "programmes.csv").set_index("programme")["seen"][number]
    assert (high if sign > 0 else low) in words
