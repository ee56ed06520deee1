"""Pages on handing over are run as far as the other program is installed, and else their words are
checked.
"""

import re
import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pytest
from builders.slides import write_slide
from conftest import CHECKOUT, Run, compose_config

import hespotex
from hespotex.prediction.inference import predict
from hespotex.results.guide import FILES

from .checks import check
from .pages import blocks

HOWTO = CHECKOUT / "docs" / "howto"
OTHERS = ("scanpy", "squidpy")


def python_blocks(page: str) -> list[str]:
    """Of a page, less those that need a package that is not installed."""
    found = [block.text for block in blocks(HOWTO / page) if block.language == "python"]
    lacking = [name for name in OTHERS if find_spec(name) is None]
    return [text for text in found if not any(f"import {name}" in text for name in lacking)]


def test_which_genes_to_trust(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, slide_of_tissue: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(slide_of_tissue, tmp_path / "slide.tif")
    names: dict[str, Any] = {}
    for text in python_blocks("trust.md"):
        exec(text.replace('"slide.jpg", mpp=0.69', '"slide.tif", check_mpp=False'), names)
    genes = names["worth_a_look"](names["slide"])
    assert len(genes) > 20 and list(names["found"].index[:5]) == genes[:5]
    assert names["doubts"]  # a drawn slide is like no tissue
    assert (names["slide"].var.loc[genes, "test_pcc"] >= 0.2).all()


@pytest.fixture(scope="module")
def slide_of_tissue(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_slide(tmp_path_factory.mktemp("drawn") / "slide.tif")


def test_scanpy_and_squidpy(
    train: Run, small_demo: Path, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ridge = ["model=ridge", "data.panel.n_top=40"]
    for fold in range(2):
        run = tmp_path / "outputs" / "demo" / str(fold)
        run.mkdir(parents=True)
        train(*ridge, f"fold.index={fold}", folder=run)
    words = ["checkpoint=outputs/demo/0", f"slides={small_demo}/slides/bare.tif"]
    words += ["output=predicted", f"paths.store={store}", "viewer_mb=null", "qupath=false"]
    predict(compose_config("predict", words, tmp_path / "predicted"))
    (tmp_path / "predicted" / "bare.h5ad").rename(tmp_path / "predicted" / "slide.h5ad")
    names: dict[str, Any] = {}
    for text in python_blocks("scanpy.md"):
        exec(text, names)
        if "found" in text:  # one fold finds nothing at a rate of 5 %
            names["slide"] = ad.read_h5ad("predicted/slide.h5ad")
    sections = names["sections"]
    assert sections.layers["measured"].shape == sections.shape
    assert (
        sections.obs["library_id"].nunique() == len(names["files"]) == len(sections.uns["spatial"])
    )
    assert np.isfinite(sections.X).all()


@pytest.mark.parametrize("page", ["workflows.md", "qupath.md"])
def test_commands_in_languages_of_others(page: str) -> None:
    """What a block of Nextflow or Snakemake calls is a command of ours; files that a script reads
    are written.
    """
    texts = [b.text for b in blocks(HOWTO / page) if b.language in ("groovy", "python")]
    assert texts
    for text in texts:
        for line in re.findall(r"hespotex predict [^\"\n]+", text):
            check(re.sub(r"\$?\{[\w.]+\}", "NAME.svs", line), Path("nowhere"))
        for ending in re.findall(r'name \+ "(_\w+\.geojson)"', text):
            assert f"*{ending}" in FILES
    assert page != "workflows.md" or sum("hespotex predict" in text for text in texts) == 2


def test_a_wrong_word_in_a_workflow_is_found() -> None:
    with pytest.raises(Exception, match="outptu"):
        check("hespotex predict NAME.svs outptu=predicted", Path("nowhere"))


def test_the_model_of_the_page_is_there() -> None:
    assert hespotex.load("breast_her2st").genes["found"].any()
