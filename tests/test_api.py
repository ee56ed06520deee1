"""From Python: the same numbers as the commands, and errors in words."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import pytorch_lightning as pl
from builders import write_her2st
from builders.visium import truth, write_flat, write_visium
from conftest import compose_config
from hydra.core.global_hydra import GlobalHydra

import hespotex
from hespotex.common.errors import InputError
from hespotex.prediction.inference import predict
from hespotex.results.predictions import prediction_file
from hespotex.sections.layouts import layout_of

RIDGE = ("model=ridge", "data.panel.n_top=40", "name=mine", "seed=3")


@pytest.fixture(scope="module")
def demo_words(small_demo: Path, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    store = tmp_path_factory.mktemp("store")
    root = f"data.reader.root={small_demo}"
    return ["data=hest", root, f"paths.store={store}", "encoder=random_vit"]


@pytest.fixture(scope="module")
def outputs(demo_words: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cross-validation with its model on all sections."""
    folder = tmp_path_factory.mktemp("outputs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hespotex.results.scores.draw_pair", lambda *_: None)  # maps take longer
        results = hespotex.cross_validate([*demo_words, *RIDGE, f"paths.outputs={folder}"])
    assert isinstance(results.models, pd.DataFrame)
    return folder


@pytest.fixture(scope="module")
def model(outputs: Path, demo_words: list[str]) -> hespotex.TrainedModel:
    store = demo_words[2].removeprefix("paths.store=")
    return hespotex.load(outputs / "mine", store=store)


def test_results_are_those_of_the_sweep(outputs: Path) -> None:
    results = hespotex.read_results(outputs / "mine")
    written = pd.read_csv(outputs / "mine" / "sections.csv")
    assert sorted(results.sections["section_id"]) == sorted(written["section_id"])
    np.testing.assert_allclose(
        np.sort(results.sections["pcc_gene"]), np.sort(written["pcc_gene"]), atol=1e-5
    )
    assert (outputs / "mine" / "report" / "index.html").is_file()


def test_one_fold_is_a_run(demo_words: list[str], small_demo: Path, tmp_path: Path) -> None:
    run = hespotex.train([*demo_words, *RIDGE, f"paths.outputs={tmp_path}", "fold.index=1"])
    assert run.folder == tmp_path / "mine" / "fold1_seed3"
    assert run.metrics["sections"] and run.config["model"]["name"] == "ridge"
    assert not GlobalHydra.instance().is_initialized()
    (test,) = run.ids("test")[:1]
    model = hespotex.load(run.folder, store=demo_words[2].removeprefix("paths.store="))
    table = model.predict(hespotex.read(small_demo, test))
    scored = ad.read_h5ad(prediction_file(run.folder, test))
    np.testing.assert_allclose(table.X, scored.X, atol=1e-5)
    with pytest.raises(InputError, match="cross_validate"):
        hespotex.train([*demo_words, "fold.index=all"])


def test_a_slide_gets_what_the_command_writes(
    model: hespotex.TrainedModel,
    outputs: Path,
    small_demo: Path,
    demo_words: list[str],
    tmp_path: Path,
) -> None:
    slide = small_demo / "slides" / "bare.tif"
    table = model.predict(slide)
    words = [f"checkpoint={outputs / 'mine'}", f"slides={slide}", f"output={tmp_path}"]
    predict(compose_config("predict", [*words, demo_words[2], "viewer_mb=null"], tmp_path))
    written = ad.read_h5ad(tmp_path / "bare.h5ad")
    np.testing.assert_array_equal(table.X, written.X)
    assert list(table.var_names) == list(written.var_names) == list(model.genes.index)
    np.testing.assert_array_equal(table.obsm["spatial"], written.obsm["spatial"])
    pd.testing.assert_series_equal(
        table.var["test_pcc"], written.var["test_pcc"], check_exact=False
    )
    few = model.predict(slide, genes=list(table.var_names[:2]), min_tissue=0.9)
    assert few.n_vars == 2 and len(few) < len(table)


def test_a_model_tells_of_itself(model: hespotex.TrainedModel) -> None:
    assert {"test_pcc", "low", "high", "found"} <= set(model.genes)
    assert model.genes["test_pcc"].notna().any()
    assert isinstance(model.module, pl.LightningModule) and model.module.n_genes == 40
    assert "ridge" in repr(model) and "40 genes" in repr(model) and model.unit in repr(model)
    assert model.facts["model"] == "ridge"


def test_sections_are_read_embedded_and_predicted(
    model: hespotex.TrainedModel, small_demo: Path
) -> None:
    sections = hespotex.read_sections(small_demo)
    first = next(iter(sections.keys))
    section = hespotex.read(small_demo, first)
    assert section.adata.n_vars > 40 and section.section_id == first
    table = model.predict(section)
    assert list(table.obs_names) == section.barcodes
    assert table.uns["hespotex"]["slide"]  # it trained this very model
    embedded = model.embed(section)
    assert embedded.shape == (len(section.adata), model.module.d_image)
    assert np.isfinite(np.asarray(embedded.X)).all()
    with pytest.raises(InputError, match="name one, such as"):
        hespotex.read(small_demo)
    with pytest.raises(InputError, match="no section X; there are"):
        hespotex.read(small_demo, "X")


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda model: model.predict("x.tif", mgg=0.5), "there is no mgg; expected keys"),
        (lambda model: model.predict("x.tif"), "x.tif"),
        (lambda model: model.predict("x.tif", genes=["DEMO-M01"]), "genes: .*near: DEMO-M"),
        (lambda _: hespotex.train(["modle=ridge"]), "would refuse modle=ridge"),
        (lambda _: hespotex.load("nowhere"), "set checkpoint="),
        (lambda _: hespotex.load("nowhere", floods=1), "load: there is no floods"),
        (lambda _: hespotex.read_results("nowhere"), "folder not found"),
        (lambda _: hespotex.read("nowhere"), "not found: nowhere"),
    ],
)
def test_errors_are_in_words(
    model: hespotex.TrainedModel, call: Callable[[Any], Any], words: str
) -> None:
    with pytest.raises(InputError, match=words):
        call(model)


def test_the_files_tell_the_data_set(tmp_path: Path, small_demo: Path) -> None:
    write_her2st(tmp_path / "her2st")
    write_visium(tmp_path / "P1" / "outs")
    flat = write_flat(tmp_path / "flat", spots=truth())
    assert layout_of(tmp_path / "her2st") == "her2st"
    assert layout_of(tmp_path / "P1" / "outs") == layout_of(tmp_path / "P1") == "visium"
    assert layout_of(tmp_path) == "visium"
    assert layout_of(small_demo) == "hest"
    assert layout_of(flat) == "h5ad"
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="of no known data set; name it with data=NAME"):
        layout_of(tmp_path / "empty")


def test_what_is_not_there_is_no_attribute() -> None:
    assert "load" in dir(hespotex)
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = hespotex.nothing
