"""The same spot of a slide gets the same prediction, whatever else is asked."""

import logging
from pathlib import Path

import anndata as ad
import cv2
import h5py
import numpy as np
import pandas as pd
import pytest
import tifffile
from conftest import Run, compose_config
from numpy.typing import NDArray

from hespotex.common.errors import InputError
from hespotex.prediction.inference import predict

BARE = ["viewer_mb=null", "flat=null", "qupath=false"]
MODELS = {
    "ridge": ["model=ridge"],
    "strict": ["model=strict"],
    "graph network": [
        "model=dual_stream",
        "model.max_epochs=1",
        "model.module.nuclei=covariate",
        "nuclei=haematoxylin",
    ],
    "none": ["model=ridge_neighbours", "data.inputs.standardize=none"],
    "training": ["model=ridge_neighbours", "data.inputs.standardize=training"],
}


class Slide:
    """One slide, predicted in several ways."""

    def __init__(self, run: Path, image: Path, store: Path, folder: Path) -> None:
        self.run = run
        self.image = image
        self.store = store
        self.folder = folder
        self.n = 0

    def __call__(self, *words: str) -> ad.AnnData:
        self.n += 1
        output = self.folder / f"out{self.n}"
        common = [f"checkpoint={self.run}", f"slides={self.image}", f"output={output}"]
        common.append(f"paths.store={self.store}")
        predict(compose_config("predict", [*common, *BARE, *words], self.folder))
        return ad.read_h5ad(output / f"{self.image.stem}.h5ad")

    def at(self, pos_px: NDArray[np.float64], *words: str) -> ad.AnnData:
        """At these places."""
        path = self.folder / "spots.csv"
        pd.DataFrame(pos_px, columns=["x", "y"]).to_csv(path, index=False)
        return self(f"positions={path}", *words)


@pytest.fixture
def bare(small_demo: Path) -> Path:
    return small_demo / "slides" / "bare.tif"


@pytest.fixture(params=MODELS, ids=str)
def slide(
    request: pytest.FixtureRequest, trained: Run, bare: Path, store: Path, tmp_path: Path
) -> Slide:
    run = trained(*MODELS[request.param], "data.panel.n_top=30")
    return Slide(run, bare, store, tmp_path)


def same(one: ad.AnnData, other: ad.AnnData, spots: NDArray[np.bool_]) -> None:
    """The spots of one are these of the other, and predicted alike."""
    np.testing.assert_allclose(one.obsm["spatial"], other.obsm["spatial"][spots], atol=1e-6)
    np.testing.assert_allclose(one.X, other.X[spots], atol=2e-5)
    assert other.X.std(axis=0).max() > 0.01  # where all are alike nothing could differ


def test_alone_in_a_region_and_on_the_whole_slide(slide: Slide) -> None:
    whole = slide()
    pos = np.asarray(whole.obsm["spatial"])
    middle = np.arange(len(whole)) == len(whole) // 2
    left = pos[:, 0] < np.median(pos[:, 0])
    same(slide.at(pos[middle]), whole, middle)
    same(slide.at(pos[left]), whole, left)


def test_between_the_spots_of_the_grid(slide: Slide) -> None:
    pos = np.asarray(slide().obsm["spatial"]) + 13.0
    many = slide.at(pos[:40])
    few = np.isin(np.arange(len(many)), [3, 17])
    same(slide.at(pos[:40][few]), many, few)


def test_in_a_mask_of_a_region(slide: Slide) -> None:
    whole = slide()
    height, width = tifffile.imread(slide.image, level=0).shape[:2]
    mask = np.zeros((height, width), dtype=np.uint8)
    mask[:, : width // 2] = 255
    cv2.imwrite(str(slide.folder / "half.png"), mask)
    half = slide(f"tissue.mask={slide.folder}/half.png")
    inside = np.isin(whole.obs_names, half.obs_names)
    assert 5 < inside.sum() < len(whole)
    shared = half[np.isin(half.obs_names, whole.obs_names)].copy()
    same(shared, whole, inside)


@pytest.mark.parametrize("slide", ["strict"], indirect=True)
class TestWhatItIsComparedWith:
    def test_a_coarser_grid(self, slide: Slide) -> None:
        """Spots of any pitch have neighbours as far away as in training."""
        coarse = slide("pitch_um=250")
        again = slide.at(np.asarray(coarse.obsm["spatial"]))
        np.testing.assert_allclose(coarse.X, again.X, atol=2e-5)

    def test_more_tissue_than_the_sample(
        self, slide: Slide, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("hespotex.batches.whole_slide.SAMPLE", 20)
        slide.store = slide.folder / "store"
        pos = np.asarray(slide().obsm["spatial"])
        slide.store = slide.folder / "another"  # where no other spot was embedded before
        few = slide.at(pos[5:9])
        slide.store = slide.folder / "store"
        whole = slide()
        same(few, whole, np.isin(np.arange(len(whole)), range(5, 9)))
        assert max(map(len, _rows(slide.folder / "another"))) < len(whole)

    def test_positions_among_themselves(self, slide: Slide) -> None:
        """What the tests above would see if nothing but the spots asked for were looked at."""
        pos = np.asarray(slide().obsm["spatial"])
        some = slide.at(pos[:30], "context=positions")
        fewer = slide.at(pos[:15], "context=positions")
        assert np.abs(some.X[:15] - fewer.X).max() > 0.05
        assert fewer.uns["hespotex"]["standardized_over"] == "the 15 spots asked for"

    def test_a_slide_without_tissue(self, slide: Slide, caplog: pytest.LogCaptureFixture) -> None:
        slide.image = slide.folder / "glass.tif"
        grey = np.full((800, 800, 3), 243, dtype=np.uint8)
        tifffile.imwrite(slide.image, grey)
        table = slide.at(np.array([[300.0, 300.0], [500.0, 400.0]]), "mpp=0.7")
        assert np.isfinite(table.X).all()
        assert "no tissue is found on the slide; embeddings are standardised over" in caplog.text

    def test_tissue_that_colour_does_not_find(self, slide: Slide) -> None:
        height, width = tifffile.imread(slide.image, level=0).shape[:2]
        everything = np.zeros((height, width), dtype=np.uint8)
        everything[20:-20, 20:-20] = 255
        cv2.imwrite(str(slide.folder / "all.png"), everything)
        found = slide()
        given = slide(f"tissue.whole={slide.folder}/all.png")
        assert list(found.obs_names) == list(given.obs_names)
        assert np.abs(found.X - given.X).max() > 0.01

    def test_spots_beside_the_tissue(self, slide: Slide, caplog: pytest.LogCaptureFixture) -> None:
        slide.at(np.full((4, 2), 30.0) + np.arange(4)[:, None], "check_frame=false")
        assert "of the spots lie beside the tissue that the slide is standardised" in caplog.text

    def test_another_word(self, slide: Slide) -> None:
        with pytest.raises(InputError, match="context: expected tissue or positions, got all"):
            slide("context=all")


def _rows(store: Path) -> list[list[bytes]]:
    found = []
    for path in store.rglob("*.h5"):
        with h5py.File(path) as file:
            found.append(list(file["barcode"]))
    return found


@pytest.mark.parametrize("slide", ["strict"], indirect=True)
def test_a_small_slide_is_drawn_towards_training(
    slide: Slide, caplog: pytest.LogCaptureFixture
) -> None:
    """The more, the fewer patches its tissue holds; the page's record says so."""
    caplog.set_level(logging.INFO)
    whole = slide()
    assert " patches of the slide's tissue" in whole.uns["hespotex"]["standardized_over"]
    pixels = tifffile.imread(slide.image, level=0)
    x, y = (int(v) for v in np.asarray(whole.obsm["spatial"])[len(whole) // 2])
    slide.image = slide.folder / "piece.tif"
    cut = pixels[y - 300 : y + 300, x - 300 : x + 300]
    tifffile.imwrite(slide.image, np.ascontiguousarray(cut))
    piece = slide("mpp=0.7")
    assert len(piece) < 30 and np.isfinite(piece.X).all()
    words = piece.uns["hespotex"]["standardized_over"]
    assert words.endswith("% as the training sections") and "and by " in words
