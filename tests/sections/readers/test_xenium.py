"""Xenium bundles: cells or squares of them on the H&E, whatever version wrote the bundle."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from builders.visium import write_matrix
from builders.xenium import (
    GENES,
    HEIGHT,
    MPP,
    PIXEL_SIZE,
    SCALE,
    TURN,
    WIDTH,
    Cells,
    cells,
    um,
    write_xenium,
)
from conftest import Run, compose_config

from hespotex.common.errors import InputError
from hespotex.records.build import build
from hespotex.sections.layouts import layout_of
from hespotex.sections.readers.xenium.reader import XeniumReader
from hespotex.testing import check_reader


def squares(found: Cells, side_um: float) -> dict[tuple[int, int], np.ndarray]:
    """Counts of each square, by column and row."""
    pooled: dict[tuple[int, int], np.ndarray] = {}
    for place, counts in zip(found.pos * MPP, found.counts, strict=True):
        square = (int(place[0] // side_um), int(place[1] // side_um))
        pooled[square] = pooled.get(square, np.zeros(len(GENES))) + counts
    return pooled


@pytest.mark.parametrize("layout", ["1.0", "bytes", "folder", "2.0"])
def test_cells(tmp_path: Path, layout: str) -> None:
    found = write_xenium(tmp_path / "S1", layout)
    section = XeniumReader(str(tmp_path), unit="cells").read("S1")
    assert section.barcodes == found.names
    assert list(section.adata.var_names) == GENES  # no probes, no codewords
    np.testing.assert_array_equal(section.adata.X.toarray(), found.counts)
    np.testing.assert_allclose(section.pos_px, found.pos, atol=1e-6)
    assert section.mpp == pytest.approx(MPP)
    assert 15 < section.pitch_um < 22


@pytest.mark.parametrize("layout", ["1.0", "bytes", "folder", "2.0"])
@pytest.mark.parametrize("counts", ["cells", "transcripts"])
@pytest.mark.parametrize("side_um", [50.0, 100.0])
def test_squares(tmp_path: Path, layout: str, counts: str, side_um: float) -> None:
    """All counts, of the transcripts only the good ones, in squares of the H&E."""
    found = write_xenium(tmp_path / "S1", layout)
    section = XeniumReader(str(tmp_path), spot_um=side_um, counts=counts).read("S1")
    expected = squares(found, side_um)
    columns, rows = section.adata.obs["array_col"], section.adata.obs["array_row"]
    assert list(zip(columns, rows, strict=True)) == sorted(expected, key=lambda s: s[::-1])
    for square, row, pos in zip(
        zip(columns, rows, strict=True), section.adata.X.toarray(), section.pos_px, strict=True
    ):
        np.testing.assert_array_equal(row, expected[square])
        np.testing.assert_allclose(pos, (np.array(square) + 0.5) * side_um / MPP)
    assert (section.pitch_um, section.spot_diameter_um) == (side_um, side_um)
    assert section.barcodes[0] == f"{rows.iloc[0]:04d}x{columns.iloc[0]:04d}"


def test_all_transcripts_as_hest_takes_them(tmp_path: Path) -> None:
    found = write_xenium(tmp_path / "S1")
    section = XeniumReader(str(tmp_path), counts="transcripts", min_quality=0).read("S1")
    assert section.adata.X.sum() == 2 * found.counts.sum()


def test_several_bundles_with_images_elsewhere(tmp_path: Path) -> None:
    for seed, name in enumerate(("S1", "S2")):
        write_xenium(tmp_path / "runs" / name / "outs", seed=seed, image=None, matrix=None)
        write_xenium(tmp_path / "he" / name, image=f"{name}.ome.tif")
        image = tmp_path / "he" / name / f"{name}.ome.tif"
        (tmp_path / "he" / image.name).hardlink_to(image)
    matrix = tmp_path / "he" / "S1" / "Sample_he_imagealignment.csv"
    reader = XeniumReader(
        str(tmp_path / "runs"),
        images=str(tmp_path / "he"),
        alignments={"S1": str(matrix), "S2": str(matrix)},
        groups={"S1": "P1", "S2": "P2"},
        unit="cells",
    )
    assert {key.section_id: key.group for key in reader.section_keys()} == {"S1": "P1", "S2": "P2"}
    np.testing.assert_array_equal(reader.read("S2").adata.X.toarray(), cells(1).counts)
    check_reader(reader)


def test_genes_without_counts(tmp_path: Path) -> None:
    write_xenium(tmp_path / "S1")
    assert list(XeniumReader(str(tmp_path)).genes("S1").names) == GENES


def test_config_and_layout(tmp_path: Path) -> None:
    write_xenium(tmp_path / "xenium" / "S1")
    assert layout_of(tmp_path / "xenium") == layout_of(tmp_path / "xenium" / "S1") == "xenium"
    config = compose_config("train", ["data=xenium", f"paths.data={tmp_path}"], tmp_path)
    assert len(build(config.data.reader).read("S1").adata) > 3


def no_alignment(bundle: Path) -> None:
    (bundle / "Sample_he_imagealignment.csv").unlink()


def two_alignments(bundle: Path) -> None:
    (bundle / "other_imagealignment.csv").write_text("1,0,0\n0,1,0\n0,0,1\n")


def matrix(*rows: str) -> Callable[[Path], None]:
    def write(bundle: Path) -> None:
        (bundle / "Sample_he_imagealignment.csv").write_text("\n".join(rows))

    return write


def inverted(bundle: Path) -> None:
    inverse = np.linalg.inv(TURN)
    text = "\n".join(",".join(map(repr, row)) for row in inverse.tolist())
    (bundle / "Sample_he_imagealignment.csv").write_text(text)


def no_image(bundle: Path) -> None:
    (bundle / "Sample_he_image.ome.tif").unlink()


def no_cells(bundle: Path) -> None:
    (bundle / "cells.parquet").unlink()


def no_experiment(bundle: Path) -> None:
    (bundle / "experiment.xenium").unlink()


def zipped_zarr_only(bundle: Path) -> None:
    (bundle / "cell_feature_matrix.h5").rename(bundle / "cell_feature_matrix.zarr.zip")


def torn_table(bundle: Path) -> None:
    (bundle / "cells.parquet").write_bytes(b"PAR1 nothing")


def other_cells(bundle: Path) -> None:
    path = bundle / "cells.parquet"
    table = pd.read_parquet(path)
    table["cell_id"] = [f"other{i}" for i in range(len(table))]
    table.to_parquet(path)


def empty_table(bundle: Path) -> None:
    path = bundle / "cells.parquet"
    pd.read_parquet(path)[:0].to_parquet(path)


def other_columns(bundle: Path) -> None:
    path = bundle / "cells.parquet"
    pd.read_parquet(path).rename(columns={"x_centroid": "x"}).to_parquet(path)


def no_places(bundle: Path) -> None:
    path = bundle / "cells.parquet"
    table = pd.read_parquet(path)
    table["x_centroid"] = np.nan
    table.to_parquet(path)


def probes_only(bundle: Path) -> None:
    write_matrix(
        bundle / "cell_feature_matrix.h5", np.ones((3, 1)), ["a", "b", "c"], ["BLANK_1"], ["Blank"]
    )


def pixel_size(value: Any) -> Callable[[Path], None]:
    def write(bundle: Path) -> None:
        (bundle / "experiment.xenium").write_text(json.dumps({"pixel_size": value}))

    return write


REFUSED: dict[str, tuple[Callable[[Path], None], str]] = {
    "no alignment": (
        no_alignment,
        r"no alignment of the H&E.*imagealignment.csv.*data.reader.alignments",
    ),
    "two alignments": (two_alignments, r"several alignments .*data.reader.alignments"),
    "words": (matrix("a,b,c", "d,e,f", "g,h,i"), r"expected 3 x 3 numbers"),
    "two rows": (matrix("1,0,0", "0,1,0"), r"expected 3 x 3 numbers"),
    "perspective": (matrix("4,0,0", "0,4,0", "0.1,0,1"), r"last row .* 0,0,1"),
    "flat": (matrix("4,0,0", "4,0,0", "0,0,1"), r"H&E px of 0 um|squeezes"),
    "squeezed": (matrix("4,0,0", "0,2,0", "0,0,1"), r"squeezes"),
    "inverted": (inverted, r"alignment.*other direction|lie outside the image"),
    "no image": (no_image, r"no H&E .*_he_image.ome.tif or S1.tif.*Set data.reader.images"),
    "no cells": (no_cells, r"no cells.parquet or cells.csv"),
    "no experiment": (no_experiment, r"no Xenium bundle|experiment.xenium"),
    "zarr": (zipped_zarr_only, r"cell_feature_matrix.h5.*zarr"),
    "torn": (torn_table, r"cells.parquet: cannot be read as Parquet"),
    "empty table": (
        empty_table,
        r"no cell has a place in .*cells.parquet: none is there; is the file whole",
    ),
    "other cells": (other_cells, r"no cell with counts .* has a place in .*cells.parquet"),
    "other columns": (other_columns, r"columns missing: \['x_centroid'\]"),
    "no places": (no_places, r"positions are not numbers"),
    "probes only": (probes_only, r"no feature of type Gene Expression"),
    "pixel size in words": (pixel_size("wide"), r"pixel_size.*expected um per px"),
    "pixel size of a mile": (pixel_size(900.0), r"pixel_size.*expected um per px"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_broken_bundles(tmp_path: Path, case: str) -> None:
    change, message = REFUSED[case]
    write_xenium(tmp_path / "S1")
    change(tmp_path / "S1")
    with pytest.raises(InputError, match=f"(?s){message}"):
        XeniumReader(str(tmp_path)).read("S1")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"unit": "genes"}, "data.reader.unit='genes': expected spots or cells"),
        ({"counts": "all"}, "data.reader.counts='all': expected cells or transcripts"),
        ({"unit": "cells", "counts": "transcripts"}, "unit=cells takes the counts of cells"),
        ({"spot_um": 0}, "data.reader.spot_um=0: expected"),
    ],
)
def test_options(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    write_xenium(tmp_path / "S1")
    with pytest.raises(InputError, match=message):
        XeniumReader(str(tmp_path), **options)


def test_no_transcripts(tmp_path: Path) -> None:
    write_xenium(tmp_path / "S1")
    (tmp_path / "S1" / "transcripts.parquet").unlink()
    with pytest.raises(
        InputError, match=r"no transcripts.parquet or transcripts.csv.*counts=cells"
    ):
        XeniumReader(str(tmp_path), counts="transcripts").read("S1")


def test_an_alignment_of_another_slide_misses_the_tissue(tmp_path: Path) -> None:
    """The tissue lies where the spots are not."""
    write_xenium(tmp_path / "S1", shift=-85)
    assert len(XeniumReader(str(tmp_path)).read("S1").adata)
    moved = TURN.copy()
    moved[1, 2] += 190 * SCALE  # of the turned image: along its x
    write_xenium(tmp_path / "S2", shift=-85)
    rows = "\n".join(",".join(map(repr, row)) for row in moved.tolist())
    (tmp_path / "S2" / "Sample_he_imagealignment.csv").write_text(rows)
    with pytest.raises(InputError, match=r"S2: .*(on tissue|outside the image)"):
        XeniumReader(str(tmp_path), spot_um=40.0).read("S2")


def test_cells_beyond_the_image_are_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    found = write_xenium(tmp_path / "S1")
    path = tmp_path / "S1" / "cells.parquet"
    table = pd.read_parquet(path).set_index("cell_id")
    outside = np.array([[WIDTH + 40.0, 50.0], [50.0, HEIGHT + 9.0], [-5.0, 50.0]])
    table.loc[found.names[:3], ["x_centroid", "y_centroid"]] = um(outside)
    table.reset_index().to_parquet(path)
    with caplog.at_level("INFO"):
        section = XeniumReader(str(tmp_path), unit="cells").read("S1")
    assert section.barcodes == found.names[3:]
    assert "S1: 3 of 196 cells lie outside the image: left out" in caplog.text
    table.loc[found.names[:90], ["x_centroid", "y_centroid"]] = um(outside[:1])
    table.reset_index().to_parquet(path)
    with pytest.raises(InputError, match=r"S1: 90 of 196 cells lie outside the image .*alignment"):
        XeniumReader(str(tmp_path), unit="cells").read("S1")


def test_the_pixel_size_of_the_image_must_agree(tmp_path: Path) -> None:
    from builders import write_pyramid
    from builders.xenium import tissue

    write_xenium(tmp_path / "S1", image=None)
    image = write_pyramid(tmp_path / "S1" / "he_image.tif", [tissue()], mpp=MPP * 1.02)
    assert XeniumReader(str(tmp_path)).read("S1").mpp == pytest.approx(PIXEL_SIZE * SCALE)
    write_pyramid(image, [tissue()], mpp=MPP / 4)
    with pytest.raises(InputError, match=r"by the alignment .* 0.85.*the image says 0.2125"):
        XeniumReader(str(tmp_path)).read("S1")
    assert XeniumReader(str(tmp_path), check_frame=False).read("S1").mpp == pytest.approx(MPP)


def test_it_trains(train: Run, tmp_path: Path) -> None:
    for seed, name in enumerate(("S1", "S2", "S3")):
        write_xenium(tmp_path / "runs" / name, seed=seed)
    run = train(
        "data=xenium",
        f"data.reader.root={tmp_path / 'runs'}",
        "data.reader.spot_um=40",
        "data.min_counts=1",
        "data.detect_duplicates=false",
        "model=ridge",
        "encoder=random_vit",
    )
    assert (run / "metrics.json").is_file()
