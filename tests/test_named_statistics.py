"""`python -m hespotex.statistics`: names, values and places of what is written, and what is
refused.
"""

from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import tifffile
from conftest import compose_config

from hespotex.common.errors import InputError
from hespotex.histology import FEATURE_NAMES, patch_features
from hespotex.histology.catalogue import FEATURES
from hespotex.histology.names import statistic_names
from hespotex.histology.units import UNITS
from hespotex.named_statistics.run import write_statistics

MPP = 0.7  # um per px of the demo


def write(folder: Path, store: Path, *words: str) -> Path:
    """The command in this process; returns its output."""
    common = [f"output={folder}", f"paths.store={store}", "encoder.patch_um=[150]"]
    write_statistics(compose_config("statistics", [*common, *words], folder))
    return folder


@pytest.fixture
def bare(small_demo: Path) -> Path:
    return small_demo / "slides" / "bare.tif"


def test_every_statistic_has_words_and_a_unit() -> None:
    assert list(UNITS) == list(FEATURE_NAMES)
    assert UNITS["h_mean"] == UNITS["nuclei_h_contrast"] == "optical density"
    assert UNITS["lymphoid_density"] == "log(1 + n per mm2 / 100)"
    assert UNITS["nuclei_area_fraction"] == "share" and UNITS["centre_area"] == "log of um2"
    alone = (" these", " the same", " its ", " this distance")
    assert not [words for words in FEATURES.values() if any(word in words for word in alone)]
    names = statistic_names([150, 350])
    assert len(names) == 214 and names.index.is_unique
    assert names.loc["nuclei_density_350um", "patch_um"] == 350


def test_a_slide_on_a_grid(bare: Path, store: Path, tmp_path: Path) -> None:
    out = write(tmp_path, store, f"slides={bare}", "store.precision=full", "flat=csv")
    table = ad.read_h5ad(out / "bare_statistics.h5ad")
    assert table.n_obs > 9 and list(table.var["statistic"]) == list(FEATURE_NAMES)
    assert (table.obs["tissue_fraction"] >= 0.5).all()
    np.testing.assert_allclose(table.obs[["x_um", "y_um"]], table.obsm["spatial"] * MPP, rtol=1e-3)
    flat = pd.read_csv(out / "bare_statistics.csv").set_index("spot")
    np.testing.assert_allclose(flat[list(table.var_names)], table.X, rtol=1e-4, atol=1e-6)
    assert "unit" not in flat
    told = pd.read_csv(out / "statistics.csv").set_index("name")
    assert list(told.index) == list(table.var_names)
    assert told.loc["h_mean_150um", "unit"] == table.var.loc["h_mean_150um", "unit"]


def test_the_values_are_those_of_the_patch(bare: Path, store: Path, tmp_path: Path) -> None:
    pixels = tifffile.imread(bare, level=0)
    side = round(150 / MPP)
    y, x = (n // 2 for n in pixels.shape[:2])
    (tmp_path / "spots.csv").write_text(f"barcode,x,y\nmiddle,{x},{y}\n")
    words = [f"slides={bare}", f"positions={tmp_path}/spots.csv", f"encoder.patch_px={side}"]
    table = ad.read_h5ad(write(tmp_path, store, *words) / "bare_statistics.h5ad")
    left, top = x - side // 2, y - side // 2
    patch = np.ascontiguousarray(pixels[top : top + side, left : left + side])
    own = dict(zip(FEATURE_NAMES, patch_features(patch, MPP), strict=True))
    found = dict(zip(table.var["statistic"], table.X[0], strict=True))
    assert list(table.obs_names) == ["middle"]
    for name in ("h_mean", "e_mean", "nuclei_area_fraction", "saturation_mean"):
        assert found[name] == pytest.approx(own[name], rel=0.05)


def test_sections_of_a_data_set(small_demo: Path, store: Path, tmp_path: Path) -> None:
    words = ["data=hest", f"data.reader.root={small_demo}", "data.reader.sections=[DEMO1,DEMO3]"]
    out = write(tmp_path, store, *words)
    tables = [ad.read_h5ad(out / f"{name}_statistics.h5ad") for name in ("DEMO1", "DEMO3")]
    counts = ad.read_h5ad(small_demo / "st" / "DEMO3.h5ad")
    assert set(tables[1].obs_names) <= set(counts.obs_names)
    assert [str(table.obs["patient"].iloc[0]) for table in tables] == ["P1", "P2"]
    assert len(pd.read_parquet(out / "DEMO3_statistics.parquet")) == tables[1].n_obs


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], r"expected slides=PATH or data=NAME, found neither"),
        (["slides={bare}", "data=demo"], "found both"),
        (["slides={bare}", "flat=xlsx"], "flat: expected parquet or csv, got xlsx"),
        (["slides={bare}", "encoder=random_vit"], "encoder=random_vit.*have no names.*histology"),
        (["slides={bare}", "encoder.patch_um=[150,150]"], "a size is given twice"),
        (["slides={bare}", "pitch_um=null"], "pitch_um: expected a length in um"),
        (["slides={bare}", "grid=round"], "1 of 1 slides failed: bare;.*"),
        (["data=demo", "positions=x.csv"], "positions=FILE is of a slide"),
        (["slides=nothing.svs"], "nothing.svs"),
    ],
)
def test_words_that_cannot_be(
    words: list[str], said: str, bare: Path, store: Path, tmp_path: Path
) -> None:
    own = [f"paths.data={tmp_path}", *(word.format(bare=bare) for word in words)]
    if "encoder=random_vit" in own:
        own.append("encoder.patch_um=[100]")
    with pytest.raises(InputError, match=said):
        write(tmp_path / "out", store, *own)
    assert not list((tmp_path / "out").glob("*.h5ad"))
