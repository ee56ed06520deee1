"""The spread of the folds beside the model on all sections."""

import json
import logging
import shutil
from pathlib import Path

import anndata as ad
import numpy as np
import pytest
import torch
from conftest import changed_on_purpose, compose_config

from hespotex.packing.pack import pack
from hespotex.prediction.fold_spread import PartialSpread
from hespotex.prediction.inference import predict
from hespotex.records.checkpoint import read_checkpoint
from hespotex.records.layout import BEST


@pytest.fixture
def slide(small_demo: Path, store: Path, tmp_path: Path) -> "Slide":
    return Slide(small_demo / "slides" / "bare.tif", store, tmp_path)


class Slide:
    def __init__(self, image: Path, store: Path, folder: Path) -> None:
        self.image = image
        self.store = store
        self.folder = folder

    def predicted(self, checkpoint: Path, name: str, *more: str) -> ad.AnnData:
        output = self.folder / name
        words = [f"checkpoint={checkpoint}", f"slides={self.image}", f"output={output}"]
        rest = [f"paths.store={self.store}", "viewer_mb=null", *more]
        predict(compose_config("predict", [*words, *rest], output))
        return ad.read_h5ad(output / "bare.h5ad")


def test_each_gene_has_the_spread_of_the_folds_that_know_it(finalized: Path, slide: Slide) -> None:
    whole = slide.predicted(finalized, "whole")
    single = [slide.predicted(finalized / str(i), f"one{i}") for i in range(3)]
    counts = []
    for gene in whole.var_names:
        values = [np.asarray(t[:, gene].X).ravel() for t in single if gene in t.var_names]
        expected = np.std(values, axis=0) if len(values) > 1 else np.full(len(whole), np.nan)
        found = np.asarray(whole[:, gene].layers["fold_std"]).ravel()
        np.testing.assert_allclose(found, expected, atol=1e-5)
        assert whole.var.loc[gene, "fold_std_folds"] == len(values)
        counts.append(len(values))
    assert max(counts) == 3 and np.nanmax(whole.layers["fold_std"]) > 0.01
    assert len(whole.uns["hespotex"]["fold_std_of"].split()) == 3
    fewer = slide.predicted(finalized, "fewer", f"genes=[{whole.var_names[3]}]")
    np.testing.assert_array_equal(
        fewer.layers["fold_std"], whole[:, [whole.var_names[3]]].layers["fold_std"]
    )


def test_the_prediction_is_that_of_the_final_model_alone(finalized: Path, slide: Slide) -> None:
    whole = slide.predicted(finalized, "whole")
    alone = slide.predicted(finalized, "alone", "fold_std=false")
    np.testing.assert_array_equal(whole.X, alone.X)
    assert "fold_std" not in alone.layers and "fold_std_folds" not in alone.var


def test_a_bundle_has_it_where_the_folds_are_packed(
    finalized: Path, slide: Slide, caplog: pytest.LogCaptureFixture
) -> None:
    whole = slide.predicted(finalized, "whole")
    pack(finalized, slide.folder / "with", folds=True)
    packed = slide.predicted(slide.folder / "with", "of_with")
    np.testing.assert_array_equal(packed.layers["fold_std"], whole.layers["fold_std"])
    pack(finalized, slide.folder / "without")
    with caplog.at_level(logging.INFO):
        without = slide.predicted(slide.folder / "without", "of_without")
    assert "fold_std" not in without.layers
    assert "no fold_std, the spread of the folds" in caplog.text and "--folds" in caplog.text


@pytest.mark.parametrize("harm", ["gone", "other", "outside"])
def test_folds_that_are_not_its_own_are_not_asked(
    finalized: Path, slide: Slide, harm: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Gone, trained with another graph since, or named outside of the sweep."""
    file = finalized / "final" / "ridge" / "final.json"
    if harm == "gone":
        shutil.rmtree(finalized / "1")
    elif harm == "outside":
        shutil.copytree(finalized / "1", slide.folder / "other")
        file.write_text(json.dumps(json.loads(file.read_text()) | {"folds": ["0", "../other"]}))
    else:
        content = read_checkpoint(finalized / "1" / BEST)
        content["hespotex"]["pitch_um"] = 7.0
        torch.save(content, finalized / "1" / BEST)
        changed_on_purpose(finalized / "1" / BEST)
    with caplog.at_level(logging.INFO):
        table = slide.predicted(finalized, "whole")
    words = {"gone": "the fold 1", "other": "pitch_um differs", "outside": "the fold ../other"}
    assert "fold_std" not in table.layers and words[harm] in caplog.text
    assert np.isfinite(table.X).all()


def test_partial_spread_is_that_of_numpy() -> None:
    values = torch.randn(4, 5, 6, generator=torch.Generator().manual_seed(3)) + 100
    places = [torch.tensor(p) for p in ([0, 2, 5], [5, 0], [1, 0, 2, 5], [0])]
    spread = PartialSpread(5, 6)
    for table, own in zip(values, places, strict=True):
        spread.add(table[:, own], own)
    expected = np.full((5, 6), np.nan)
    for column, rows in {0: [0, 1, 2, 3], 2: [0, 2], 5: [0, 1, 2]}.items():
        expected[:, column] = values[rows, :, column].numpy().std(axis=0)
    np.testing.assert_allclose(spread.std().numpy(), expected, atol=1e-4)
