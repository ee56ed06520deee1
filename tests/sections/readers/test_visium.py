"""Space Ranger folders of all versions give the same section, and common mistakes are named."""

import json
import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import h5py
import numpy as np
import pandas as pd
import pytest
from builders import GENES, MPP, picture
from builders.visium import Truth, truth, write_image, write_matrix, write_visium
from conftest import Run

from hespotex.common.errors import InputError
from hespotex.sections.readers.slide import read_positions as slide_positions
from hespotex.sections.readers.spaceranger.visium import VisiumReader
from hespotex.sections.section import Section, SectionKey

VERSIONS = {
    "v1": {"positions": "tissue_positions_list.csv"},
    "v1 with a header": {"positions": "tissue_positions_list.csv"},
    "v2 and CytAssist": {"positions": "tissue_positions.csv"},
    "mtx": {"matrix": "filtered_feature_bc_matrix"},
    "prefixed": {"prefix": "GSM1_S2_"},
    "prefixed mtx": {
        "prefix": "GSM1_S2_",
        "matrix": "filtered_feature_bc_matrix",
        "positions": "tissue_positions_list.csv",
    },
    "Windows": {"ending": "\r\n", "encoding": "utf-8-sig"},
    "Windows v1": {
        "ending": "\r\n",
        "encoding": "utf-8-sig",
        "positions": "tissue_positions_list.csv",
    },
}


def same(section: Section, spots: Truth) -> None:
    assert section.barcodes == spots.barcodes and list(section.adata.var_names) == spots.genes
    np.testing.assert_array_equal(section.adata.X.toarray(), spots.counts)
    np.testing.assert_allclose(section.pos_px, spots.pos)


def read(outs: Path, **options: Any) -> Section:
    reader = VisiumReader(str(outs), **options)
    return reader.read(reader.section_keys()[0].section_id)


@pytest.mark.parametrize("version", VERSIONS)
def test_all_versions_give_the_same_section(
    tmp_path: Path, version: str, caplog: pytest.LogCaptureFixture
) -> None:
    options: dict[str, Any] = VERSIONS[version]
    spots = write_visium(tmp_path / "V1" / "outs", image=tmp_path / "V1" / "slide.tif", **options)
    if version == "v1 with a header":  # some releases have it, so the name tells nothing
        path = tmp_path / "V1" / "outs" / "spatial" / "tissue_positions_list.csv"
        path.write_text(
            "barcode,in_tissue,array_row,array_col,pxl_row_in_fullres,pxl_col_in_fullres\n"
            + path.read_text()
        )
    with caplog.at_level(logging.INFO):
        section = read(tmp_path)
    same(section, spots)
    assert "V1: 37 spots with counts, 37 with a position, 36 with both" in caplog.text
    assert section.mpp == pytest.approx(MPP) and section.mpp_source == "spot pitch of 100 um"
    assert (section.pitch_um, section.spot_diameter_um) == (
        100,
        55,
    ) and section.image == tmp_path / "V1" / "slide.tif"


def test_other_features_are_left_out_and_repeated_names_summed(tmp_path: Path) -> None:
    spots = write_visium(tmp_path / "V1", image=tmp_path / "V1" / "he.tif")
    types = ["Gene Expression", "Antibody Capture", "Gene Expression", "Gene Expression"]
    write_matrix(
        tmp_path / "V1" / "filtered_feature_bc_matrix.h5",
        spots.counts,
        spots.barcodes,
        ["A", "CD3", "NAN", "A"],
        types,
    )
    section = read(tmp_path / "V1")
    assert list(section.adata.var_names) == ["A", "NAN"]
    np.testing.assert_array_equal(
        section.adata.X.toarray(), np.c_[spots.counts[:, [0, 3]].sum(axis=1), spots.counts[:, 2]]
    )


def test_sections_of_a_folder(tmp_path: Path) -> None:
    for name in ("B/outs", "A", "C/outs"):
        write_visium(tmp_path / "data" / name)
        write_image(tmp_path / "images" / f"{name[0]}.tif")
    (tmp_path / "data" / "notes").mkdir()
    images = str(tmp_path / "images")
    reader = VisiumReader(str(tmp_path / "data"), images, groups={"A": "P1", "B": "P2", "C": "P1"})
    assert reader.section_keys() == [
        SectionKey("A", "P1"),
        SectionKey("B", "P2"),
        SectionKey("C", "P1"),
    ]
    assert reader.read("B").image == tmp_path / "images" / "B.tif"
    single = VisiumReader(str(tmp_path / "data" / "B" / "outs"), {"B": f"{images}/C.tif"})
    assert [key.section_id for key in single.section_keys()] == ["B"] and single.read(
        "B"
    ).image == tmp_path / "images" / "C.tif"
    assert read(tmp_path / "data", images=f"{images}/A.tif", sections=["C"]).section_id == "C"
    with pytest.raises(
        InputError, match=r"data.reader.sections names \['Z'\], but .* holds \['A', 'B', 'C'\]"
    ):
        VisiumReader(str(tmp_path / "data"), sections=["Z"])


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (
            None,
            r"A: outs/ does not hold the full-resolution microscope image.*set data.reader.images",
        ),
        ("one.tif", "is one file, but there are 2 sections"),
        ({"B": "one.tif"}, r"names no image of A; it holds \['B'\]"),
        ({"A": "none.tif"}, r"A: image not found: .*none.tif; set data.reader.images"),
        ("", r"A: outs/ does not hold"),
        (".", r"A: no image in .*: expected A.tif"),
        ("two", r"A: several images in .*two: \['A.jpg', 'A.tif'\]"),
    ],
)
def test_images_that_cannot_be_found(
    tmp_path: Path, images: Any, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("A", "B"):
        write_visium(tmp_path / "data" / name)
    write_image(tmp_path / "one.tif")
    write_image(tmp_path / "two" / "A.tif")
    cv2.imwrite("two/A.jpg", picture(20, 20))
    with pytest.raises(InputError, match=message):
        VisiumReader("data", images).read("A")


def test_several_images_beside_outs(tmp_path: Path) -> None:
    write_visium(tmp_path / "V1" / "outs", image=tmp_path / "V1" / "a.tif")
    write_image(tmp_path / "V1" / "b.tif")
    with pytest.raises(
        InputError,
        match=r"V1: several images in .*\['a.tif', 'b.tif'\]; choose with data.reader.images",
    ):
        read(tmp_path)


@pytest.mark.parametrize(
    "name",
    ["tissue_hires_image.png", "tissue_lowres_image.png", "renamed.png", "no hires beside.png"],
)
def test_a_downsampled_picture_in_place_of_the_image(tmp_path: Path, name: str) -> None:
    write_visium(tmp_path / "V1")
    spatial = tmp_path / "V1" / "spatial"
    given = shutil.copy(
        spatial / ("tissue_lowres_image.png" if "lowres" in name else "tissue_hires_image.png"),
        tmp_path / name,
    )
    expected = "400 x 320 px;"
    if name == "no hires beside.png":
        (spatial / "tissue_hires_image.png").unlink()
        expected = "335 x 277 px or more;"
    with pytest.raises(
        InputError, match=r"V1: .* is a downsampled picture.* about " + expected
    ) as error:
        read(tmp_path, images=str(given))
    assert "set data.reader.images to that microscope image" in str(error.value)


def test_a_small_image_of_full_resolution_is_no_mistake(tmp_path: Path) -> None:
    """Where the scan is no larger than the hires picture, Space Ranger leaves it as it is."""
    write_visium(tmp_path / "V1")
    path = tmp_path / "V1" / "spatial" / "scalefactors_json.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"tissue_hires_scalef": 1.0}))
    cv2.imwrite(str(tmp_path / "tissue_hires_image.png"), picture(400, 320))
    assert read(tmp_path, images=str(tmp_path / "tissue_hires_image.png")).mpp == pytest.approx(MPP)


def positions(root: Path) -> Path:
    return root / "V1" / "spatial" / "tissue_positions.csv"


def swapped(root: Path) -> None:
    table = pd.read_csv(positions(root))
    names = {"pxl_row_in_fullres": "pxl_col_in_fullres", "pxl_col_in_fullres": "pxl_row_in_fullres"}
    table.rename(columns=names).to_csv(positions(root), index=False)


def not_a_number(root: Path) -> None:
    table = pd.read_csv(positions(root))
    table.loc[5, "pxl_row_in_fullres"] = np.nan
    table.to_csv(positions(root), index=False)


def position_twice(root: Path) -> None:
    table = pd.read_csv(positions(root))
    pd.concat([table, table[3:5]]).to_csv(positions(root), index=False)


def column_missing(root: Path) -> None:
    pd.read_csv(positions(root)).drop(columns="in_tissue").to_csv(positions(root), index=False)


def other_barcodes(root: Path) -> None:
    table = pd.read_csv(positions(root))
    table.assign(barcode="X" + table["barcode"]).to_csv(positions(root), index=False)


def no_positions(root: Path) -> None:
    positions(root).unlink()


def no_scale(root: Path) -> None:
    (root / "V1" / "spatial" / "scalefactors_json.json").unlink()


def broken_scale(root: Path) -> None:
    (root / "V1" / "spatial" / "scalefactors_json.json").write_text("{")


def matrix(root: Path, change: Callable[[Any], Any], barcodes: list[str] | None = None) -> None:
    spots = truth()
    changed = change(spots.counts)
    names = (barcodes or spots.barcodes)[: len(changed)]
    write_matrix(
        root / "V1" / "filtered_feature_bc_matrix.h5", changed, names, GENES[: changed.shape[1]]
    )


def barcode_twice(root: Path) -> None:
    matrix(root, lambda counts: counts, [*truth().barcodes[:35], truth().barcodes[0]])


def negative(root: Path) -> None:
    matrix(root, lambda counts: counts - 5)


def normalised(root: Path) -> None:
    matrix(root, np.log1p)


def no_spots(root: Path) -> None:
    matrix(root, lambda counts: counts[:0])


def proteins_only(root: Path) -> None:
    spots = truth()
    path = root / "V1" / "filtered_feature_bc_matrix.h5"
    write_matrix(path, spots.counts, spots.barcodes, GENES, ["Antibody Capture"] * 4)


def truncated(root: Path) -> None:
    path = root / "V1" / "filtered_feature_bc_matrix.h5"
    path.write_bytes(path.read_bytes()[:500])


def other_h5(root: Path) -> None:
    with h5py.File(root / "V1" / "filtered_feature_bc_matrix.h5", "w") as file:
        file["GRCh38"] = 1


def two_matrices(root: Path) -> None:
    shutil.copy(
        root / "V1" / "filtered_feature_bc_matrix.h5",
        root / "V1" / "S9_filtered_feature_bc_matrix.h5",
    )


BROKEN = [
    (swapped, r"V1: \d+ of 36 spots lie outside the image of 400 x 320 px .* are x and y in order"),
    (not_a_number, "V1: 1 of 36 spot positions are not numbers"),
    (position_twice, "barcodes of .*tissue_positions.csv: 2 names occur more than once"),
    (column_missing, r"tissue_positions.csv: columns missing: \['in_tissue'\]"),
    (other_barcodes, "V1: no barcode with counts .* is among the spots under tissue"),
    (
        no_positions,
        r"no tissue_positions.parquet or tissue_positions.csv or tissue_positions_list.csv in .*V1",
    ),
    (no_scale, "no scalefactors_json.json in .*V1"),
    (broken_scale, "scalefactors_json.json: not valid JSON"),
    (barcode_twice, "V1: 1 barcodes occur more than once, such as"),
    (
        negative,
        r"V1: expected raw counts, found \d+ values that are negative or not whole, such as -",
    ),
    (normalised, "V1: expected raw counts, .* were they normalised"),
    (no_spots, "V1: the count matrix is empty: 0 spots x 4 genes"),
    (proteins_only, r"no feature of type Gene Expression, found \['Antibody Capture'\]"),
    (
        truncated,
        (
            r"filtered_feature_bc_matrix.h5: cannot be read as a feature matrix of 10x Genomics .*"
            r" is the file whole"
        ),
    ),
    (other_h5, "filtered_feature_bc_matrix.h5: cannot be read as a feature matrix of 10x Genomics"),
    (two_matrices, "several files could be filtered_feature_bc_matrix.h5"),
]


@pytest.mark.parametrize(
    ("breakage", "message"), BROKEN, ids=lambda value: getattr(value, "__name__", "")
)
def test_broken_folders(tmp_path: Path, breakage: Callable[[Path], None], message: str) -> None:
    write_visium(tmp_path / "V1", image=tmp_path / "V1.tif")
    breakage(tmp_path)
    with pytest.raises(InputError, match=message):
        read(tmp_path)


def test_no_outs_at_all(tmp_path: Path) -> None:
    (tmp_path / "V1" / "binned_outputs").mkdir(parents=True)
    with pytest.raises(
        InputError,
        match=r"no Space Ranger outs/ .* for Visium HD use data=visium_hd.* set data.reader.root",
    ):
        VisiumReader(str(tmp_path))


@pytest.mark.parametrize(
    ("embedded", "given", "mpp", "source"),
    [
        (None, None, 2.0, "spot pitch of 100 um"),
        (2.05, None, 2.05, "embedded in the image"),
        (352.8, None, 2.0, "spot pitch of 100 um"),  # a 72 dpi default
        (2.05, 1.95, 1.95, "data.reader.mpp"),
    ],
)
def test_pixel_size(
    tmp_path: Path, embedded: float | None, given: float | None, mpp: float, source: str
) -> None:
    write_visium(tmp_path / "V1", image=tmp_path / "V1.tif", mpp=embedded)
    section = read(tmp_path, mpp=given)
    assert section.mpp == pytest.approx(mpp) and section.mpp_source == source


@pytest.mark.parametrize(("embedded", "given"), [(None, 4.0), (4.0, None)])
def test_pixel_size_two_times_off(
    tmp_path: Path, embedded: float | None, given: float | None
) -> None:
    write_visium(tmp_path / "V1", image=tmp_path / "V1.tif", mpp=embedded)
    with pytest.raises(
        InputError,
        match=r"V1: at 4.0000 um/px .* 200.0 um apart, expected 100 um.* data.reader.mpp=2.0000",
    ):
        read(tmp_path, mpp=given)


def test_one_spot_has_no_pitch(tmp_path: Path) -> None:
    write_visium(tmp_path / "V1", image=tmp_path / "V1.tif")
    matrix(tmp_path, lambda counts: counts[:1])
    with pytest.raises(InputError, match=r"V1: no pixel size: .* set data.reader.mpp"):
        read(tmp_path)
    assert read(tmp_path, mpp=1.0).mpp == 1.0


def test_visium_trains(train: Run, tmp_path: Path) -> None:
    genes = [f"G{i:02d}" for i in range(40)]
    for i in range(3):
        outs = tmp_path / "data" / f"V{i}" / "outs"
        write_visium(outs, image=outs.parent / "slide.tif", spots=truth(genes, seed=i))
        write_image(outs.parent / "slide.tif", seed=i)
    (tmp_path / "groups.csv").write_text("section_id,patient\nV0,P0\nV1,P1\nV2,P2\n")
    roots = [
        f"data.reader.root={tmp_path / 'data'}",
        f"data.reader.groups={tmp_path / 'groups.csv'}",
    ]
    folder = train("data=visium", *roots, "model=ridge", "data.panel.n_top=20")
    metrics = json.loads((folder / "metrics.json").read_text())
    assert (
        metrics["split"]["test"] == ["V0"]
        and len(metrics["sections"]) == 1
        and metrics["leaks"] == []
    )


def test_tissue_positions_without_a_header_serve_as_positions(tmp_path: Path) -> None:
    """Space Ranger's older file has no header; off-tissue spots are left out."""
    (tmp_path / "tissue_positions_list.csv").write_text(
        "AA-1,1,0,0,20,10\nCC-1,0,0,2,40,30\nGG-1,1,1,1,60,50\n"
    )
    names, pos = slide_positions(tmp_path / "tissue_positions_list.csv")
    assert names == ["AA-1", "GG-1"]
    assert pos.tolist() == [[10.0, 20.0], [50.0, 60.0]]
