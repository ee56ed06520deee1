"""The model that comes with HESpotEx: whole, small, honest, and taken where none is named."""

import logging
import math
import shutil
from pathlib import Path

import anndata as ad
import numpy as np
import pytest
from conftest import command, compose_config

import hespotex
from hespotex.common.files import read_json
from hespotex.prediction.checkpoints import find_checkpoints
from hespotex.prediction.inference import predict
from hespotex.prediction.model_facts import model_facts
from hespotex.prediction.supplied import FOLDER, supplied_models
from hespotex.records.layout import BUNDLE
from hespotex.records.manifest import check_files
from hespotex.results.slide.trust import trust_of

NAME = "breast_her2st"
MIB = 1 << 20


@pytest.fixture(scope="module")
def bundle() -> Path:
    return supplied_models()[NAME]


def test_it_is_whole_and_small(bundle: Path) -> None:
    check_files(bundle)
    files = [path for path in bundle.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 2 * MIB
    assert [path.name for path in FOLDER.iterdir() if path.is_dir()] == [NAME]


def test_its_card_is_honest(bundle: Path) -> None:
    """Scores of patients left out stand first, those of sections left out beside them and apart."""
    facts = read_json(bundle / BUNDLE)
    card = (bundle / "README.md").read_text()
    scores = facts["scores"]
    assert facts["fold_strategy"] == "leave_one_group_out" and facts["problems"] == []
    assert facts["groups"] == ["B", "C"] and list(facts["trained_on"]) == [
        "B4",
        *["C2", "C3", "C4", "C5"],
    ]
    assert scores["n_groups"] == 2 and 0.2 < scores["pcc_gene"] < 0.25
    assert f"{scores['pcc_gene']:.3f}" in card
    (sections,) = facts["final"]["other_splits"]
    assert sections.startswith("leave one section out: PCC 0.248")
    assert "on both sides" in sections and sections in card
    for words in (facts["tissue"], facts["source"], facts["licence"]):
        assert words in card
    assert "CC BY 4.0" in facts["source"] and "Andersson et al. 2021" in facts["source"]
    assert facts["git_commit"] and "+changes" not in facts["git_commit"]
    assert any("14 of 14" in line or "pass" in line for line in facts["audit"])


def test_it_is_known_by_its_name_and_a_folder_by_its_path(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    own = tmp_path / NAME
    shutil.copytree(bundle, own)
    (there,) = find_checkpoints(NAME)
    (here,) = find_checkpoints(f"./{NAME}")
    assert bundle in there.parents and own in here.resolve().parents


def test_info_tells_of_it() -> None:
    done = command("-m", "hespotex.info", NAME)
    assert done.returncode == 0, done.stderr
    for words in ("HER2-positive breast cancer", "CC BY 4.0", "leave one group out", "100 um wide"):
        assert words in done.stdout + done.stderr
    assert "leave one section out: PCC 0.248" in model_facts(NAME).lines["split otherwise"]


def test_a_slide_without_a_checkpoint(
    small_demo: Path, store: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The demo's slide is no breast: log, table and page say so."""
    words = [f"slides={small_demo}/slides/bare.tif", f"output={tmp_path}", f"paths.store={store}"]
    words.append("pitch_um=100")
    caplog.set_level(logging.INFO)
    predict(compose_config("predict", [*words, "qupath=false", "flat=null"], tmp_path))
    assert "trained on 5 sections of 2 groups of HER2-positive breast cancer" in caplog.text
    table = ad.read_h5ad(tmp_path / "bare.h5ad")
    assert table.n_vars > 500 and np.isfinite(table.X).all()
    assert table.uns["hespotex"]["tissue"].startswith("HER2-positive breast cancer")
    assert trust_of(table.uns["hespotex"]).trusted == "no"
    page = (tmp_path / "bare.html").read_text()
    assert "HER2-positive breast cancer" in page and "look unlike 99% of the training" in page
    assert (
        f"checkpoint {NAME}" in (tmp_path / "run.txt").read_text()
        or NAME in (tmp_path / "run.txt").read_text()
    )


def test_from_python(store: Path) -> None:
    model = hespotex.load(NAME, store=store)
    genes = model.genes
    assert len(genes) > 500 and genes["scored"].mean() > 0.8
    assert genes.loc[["ERBB2", "EPCAM", "CD74"], "scored"].all()
    assert model.facts["tissue"].startswith("HER2-positive")
    best = genes["test_pcc"].max()
    assert 0.4 < best < 1 and not math.isnan(best)


def test_a_section_that_trained_it_is_told(shared: Path, store: Path) -> None:
    section = hespotex.read(shared / "data" / "her2st", "C4")
    table = hespotex.load(NAME, store=store).predict(section)
    (doubt,) = trust_of(table.uns["hespotex"]).doubts
    assert "trained" in doubt
