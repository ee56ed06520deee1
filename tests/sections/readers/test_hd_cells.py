"""Visium HD cells, as Space Ranger 4 segments them; bins where it did not."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from builders import GENES
from builders.visium import write_hd_cells, write_visium_hd

from hespotex.common.errors import InputError
from hespotex.sections.readers.spaceranger.visium_hd import VisiumHDReader
from hespotex.sections.section import Section
from hespotex.testing import check_reader


def read(root: Path, **options: Any) -> Section:
    return VisiumHDReader(str(root), **{"unit": "cells", **options}).read("H1")


@pytest.fixture
def outs(tmp_path: Path) -> Path:
    """A run with bins; cells are written by the tests."""
    write_visium_hd(tmp_path / "H1" / "outs", image=tmp_path / "H1" / "he.tif")
    return tmp_path / "H1" / "outs"


def outline(outs: Path) -> Path:
    return outs / "segmented_outputs" / "cell_segmentations.geojson"


@pytest.mark.parametrize("ids", ["numbers", "names"])
def test_cells(outs: Path, tmp_path: Path, ids: str) -> None:
    expected = write_hd_cells(outs, ids=ids)
    section = read(tmp_path)
    assert section.barcodes == expected.barcodes
    np.testing.assert_array_equal(section.adata.X.toarray(), expected.counts)
    np.testing.assert_allclose(section.pos_px, expected.pos, atol=1e-9)
    assert (section.mpp, section.mpp_source) == (0.5, "scalefactors_json.json")
    assert 9 < section.pitch_um < 13
    assert "array_col" not in section.adata.obs
    reader = VisiumHDReader(str(tmp_path), unit="cells")
    assert list(reader.genes("H1").names) == GENES
    check_reader(reader)


def test_bins_stay_bins(outs: Path, tmp_path: Path) -> None:
    write_hd_cells(outs)
    assert read(tmp_path, unit="bins").barcodes[0].startswith("s_016um")


def test_without_cells_bins_are_read_with_a_word(
    outs: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert outs.is_dir()
    section = read(tmp_path, bin_um=8, pool=2)
    assert section.barcodes[0] == "s_016um_00000_00000-1"
    assert "H1: no segmented_outputs in" in caplog.text
    assert "bins of 8 um are read instead of cells" in caplog.text
    assert list(VisiumHDReader(str(tmp_path), unit="cells").genes("H1").names) == GENES


def test_without_bins(outs: Path, tmp_path: Path) -> None:
    """The cells alone were copied; nothing checks the pixel size then."""
    expected = write_hd_cells(outs)
    (outs / "binned_outputs").rename(tmp_path / "elsewhere")
    np.testing.assert_allclose(read(tmp_path).pos_px, expected.pos)


def test_the_bins_check_the_pixel_size(outs: Path, tmp_path: Path) -> None:
    write_hd_cells(outs)
    with pytest.raises(InputError, match=r"at 0.8000 um/px .* 25.6 um apart, expected 16 um"):
        read(tmp_path, mpp=0.8)


def mapping(outs: Path) -> None:
    """A cell for two bins of 8 um: 16 squares of 2 um in each, of which one lies in no cell."""
    path = outs / "binned_outputs" / "square_008um" / "spatial" / "tissue_positions.parquet"
    bins = [name.removesuffix("-1") for name in pd.read_parquet(path)["barcode"]]
    number = np.repeat(np.arange(len(bins)), 16)
    table = {
        "Square_002um": [f"s_002um_{i:05d}" for i in range(len(number))],
        "Square_008um": [bins[i] for i in number],
        "Cell_id": [f"cellid_{1 + i // 2:09d}" for i in number],
        "In_cell": np.arange(len(number)) % 16 > 0,
    }
    pd.DataFrame(table).to_parquet(outs / "barcode_mappings.parquet")


def test_without_outlines_cells_lie_amid_their_squares(
    outs: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    expected = write_hd_cells(outs)
    outline(outs).unlink()
    mapping(outs)
    section = read(tmp_path)
    assert "H1: no cell_segmentations.geojson" in caplog.text
    assert section.barcodes == expected.barcodes
    np.testing.assert_array_equal(section.adata.X.toarray(), expected.counts)
    row, column = np.divmod(2 * np.arange(len(expected.barcodes)), 12)
    middle = np.stack([20 + 16.0 * (column + 0.5), 40 + 16.0 * row], axis=1)
    np.testing.assert_allclose(section.pos_px, middle)


def test_a_mapping_without_its_columns(outs: Path, tmp_path: Path) -> None:
    write_hd_cells(outs)
    outline(outs).unlink()
    mapping(outs)
    path = outs / "barcode_mappings.parquet"
    pd.read_parquet(path).drop(columns="Cell_id").to_parquet(path)
    with pytest.raises(
        InputError, match=r"barcode_mappings.parquet: columns missing: \['cell_id'\]"
    ):
        read(tmp_path)
    mapping(outs)
    (outs / "binned_outputs").rename(tmp_path / "elsewhere")
    with pytest.raises(InputError, match=r"nor binned_outputs/ in .* tells where the cells are"):
        read(tmp_path)


def changed(change: Callable[[dict[str, Any]], Any]) -> Callable[[Path], None]:
    def write(outs: Path) -> None:
        content = json.loads(outline(outs).read_text())
        change(content)
        outline(outs).write_text(json.dumps(content))

    return write


def no_outlines(outs: Path) -> None:
    outline(outs).unlink()


def no_matrix(outs: Path) -> None:
    (outs / "segmented_outputs" / "filtered_feature_cell_matrix.h5").unlink()


def torn(outs: Path) -> None:
    outline(outs).write_text('{"type": "FeatureCollection", "features": [')


REFUSED: dict[str, tuple[Callable[[Path], None], str]] = {
    "no outlines": (
        no_outlines,
        r"neither cell_segmentations.geojson .* nor barcode_mappings.parquet .*unit=bins",
    ),
    "no cells": (
        changed(lambda c: c.update(features=[])),
        r"no cell has a place in .*cell_segmentations.geojson: none is there; is the file whole",
    ),
    "no matrix": (no_matrix, r"no filtered_feature_cell_matrix.h5 .*data.reader.unit=bins"),
    "torn": (torn, r"cell_segmentations.geojson: not valid JSON"),
    "no features": (changed(lambda c: c.pop("features")), r"expected a GeoJSON FeatureCollection"),
    "features of words": (
        changed(lambda c: c.update(features=["a"])),
        r"expected a GeoJSON FeatureCollection",
    ),
    "no ids": (
        changed(lambda c: [f["properties"].clear() for f in c["features"]]),
        r"feature 0 has no cell_id",
    ),
    "no shape": (
        changed(lambda c: c["features"][3].update(geometry=None)),
        r"feature 3 has no outline",
    ),
    "broken shape": (
        changed(lambda c: c["features"][3]["geometry"].update(coordinates=[["x"]])),
        r"feature 3 has no outline",
    ),
    "one id twice": (
        changed(lambda c: c["features"].append(c["features"][1])),
        r"names occur more than once",
    ),
    "other ids": (
        changed(
            lambda c: [
                f["properties"].update(cell_id=77000 + i) for i, f in enumerate(c["features"])
            ]
        ),
        r"no cell with counts .* has a place",
    ),
    "outside": (
        changed(
            lambda c: [
                f["geometry"].update(coordinates=[[[5000, 1], [5009, 1], [5009, 9], [5000, 1]]])
                for f in c["features"]
            ]
        ),
        r"outside the image|downsampled picture",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_broken_segmentations(outs: Path, tmp_path: Path, case: str) -> None:
    change, message = REFUSED[case]
    write_hd_cells(outs)
    change(outs)
    with pytest.raises(InputError, match=f"(?s){message}"):
        read(tmp_path)


def test_another_unit_is_refused(outs: Path, tmp_path: Path) -> None:
    assert outs.is_dir()
    with pytest.raises(InputError, match=r"data.reader.unit='nuclei': expected bins or cells"):
        VisiumHDReader(str(tmp_path), unit="nuclei")
