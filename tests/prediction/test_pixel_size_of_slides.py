"""The pixel size of a slide cannot be wrong in silence."""

import logging
from pathlib import Path

import anndata as ad
import numpy as np
import pytest
import tifffile
import torch
from conftest import compose_config

from hespotex.common.errors import InputError
from hespotex.common.failures import read_failed
from hespotex.prediction.inference import predict
from hespotex.records.checkpoint import read_checkpoint
from hespotex.records.layout import BEST

BARE = ["flat=null", "qupath=false"]
MPP = 0.7  # um per px of the demo
SMALL = ["min_tissue=0.1", "tissue.min_piece_um2=1000"]  # the demo's pieces by a wrong pixel size


class Predict:
    """predict.py of the demo's bare slide, whose file tells its pixel size or not."""

    def __init__(self, run: Path, image: Path, store: Path, folder: Path) -> None:
        self.run = run
        self.store = store
        self.folder = folder
        self.tagged = image
        self.silent = folder / "silent.tif"
        tifffile.imwrite(self.silent, tifffile.imread(image, level=0))

    def __call__(self, slide: Path, *words: str) -> ad.AnnData:
        common = [f"checkpoint={self.run}", f"slides={slide}", f"output={self.folder}/out"]
        words = (*common, f"paths.store={self.store}", "restart=true", *BARE, *words)
        predict(compose_config("predict", list(words), self.folder))
        return ad.read_h5ad(self.folder / "out" / f"{slide.stem}.h5ad")

    def refused(self, slide: Path, *words: str) -> str:
        with pytest.raises(InputError):
            self(slide, *words)
        assert not list((self.folder / "out").glob("*.h5ad"))
        return str(read_failed(self.folder / "out")[slide.stem])


@pytest.fixture
def go(ridge_run: Path, small_demo: Path, store: Path, tmp_path: Path) -> Predict:
    return Predict(ridge_run, small_demo / "slides" / "bare.tif", store, tmp_path)


def test_the_checkpoint_knows_the_nuclei_of_its_training_sections(go: Predict) -> None:
    about = read_checkpoint(go.run / BEST)["hespotex"]
    assert 3 < about["nuclear_size_um"] < 30


@pytest.mark.parametrize("said", [0.27, 1.9])
def test_nuclei_of_another_size_are_refused_with_both_numbers(go: Predict, said: float) -> None:
    reason = go.refused(go.silent, f"mpp={said}", *SMALL)
    trained = read_checkpoint(go.run / BEST)["hespotex"]["nuclear_size_um"]
    assert f"at {said} um per px (mpp=) the nuclei are " in reason
    assert f"and {trained:.1f} um in the training sections" in reason
    assert "check_mpp=false" in reason
    guess = float(reason.split("it would be ")[1].split(" um")[0])
    assert guess == pytest.approx(MPP, rel=0.3)


def test_the_right_one_and_the_override_are_taken(
    go: Predict, caplog: pytest.LogCaptureFixture
) -> None:
    assert len(go(go.silent, f"mpp={MPP}")) > 10
    assert "nuclei are" not in caplog.text
    assert len(go(go.silent, "mpp=1.9", "check_mpp=false", "min_tissue=0.3")) > 1


def test_what_is_doubtful_is_said_everywhere(go: Predict) -> None:
    go(go.silent, "mpp=1.2")
    for file in ("run.txt", "silent.html"):
        text = (go.folder / "out" / file).read_text(encoding="utf-8")
        assert "um across, and" in text and "is mpp right?" in text


def test_against_the_file(go: Predict) -> None:
    reason = go.refused(go.tagged, "mpp=0.6")
    assert "mpp=0.6 um per px is given, and the file says 0.7: leave mpp out" in reason
    assert "check_mpp=false" in reason
    assert len(go(go.tagged, "mpp=0.6", "check_mpp=false")) > 10
    assert len(go(go.tagged, "mpp=0.71")) > 10  # rounded


def test_against_the_file_in_a_list_of_slides(go: Predict) -> None:
    table = go.folder / "slides.csv"
    table.write_text(f"path,mpp\n{go.tagged},0.35\n")
    words = [f"checkpoint={go.run}", f"slides={table}", f"output={go.folder}/out"]
    words.append(f"paths.store={go.store}")
    with pytest.raises(InputError):
        predict(
            compose_config(
                "predict",
                [*words, *BARE],
                go.folder,
            )
        )
    assert "the file says 0.7" in read_failed(go.folder / "out")["bare"]


@pytest.mark.parametrize("said", ["690", "0", "-0.5", "0.001"])
def test_what_is_no_pixel_size_is_refused_before_any_work(go: Predict, said: str) -> None:
    with pytest.raises(
        InputError, match=r"mpp: expected a number of um per px, from 0\.05 to 10, found"
    ):
        go(go.tagged, f"mpp={said}")
    assert not (go.folder / "out").exists()


def test_another_pitch_than_in_training_is_said_everywhere(
    go: Predict, caplog: pytest.LogCaptureFixture
) -> None:
    words = "spots are 60 um apart, and 100 um in the training sections"
    go(go.tagged, "pitch_um=60")
    assert f"bare: {words}" in caplog.text
    for file in ("run.txt", "bare.html"):
        assert words in (go.folder / "out" / file).read_text(encoding="utf-8")


def test_an_older_checkpoint_checks_nothing(go: Predict, caplog: pytest.LogCaptureFixture) -> None:
    content = torch.load(go.run / BEST, weights_only=True)
    del content["hespotex"]["nuclear_size_um"], content["hespotex"]["training_scale"]
    go.run = go.folder / "older.ckpt"
    torch.save(content, go.run)
    caplog.set_level(logging.INFO)
    assert np.isfinite(go(go.silent, "mpp=0.3").X).all()
    assert "its pixel size is not checked by the size of nuclei" in caplog.text
