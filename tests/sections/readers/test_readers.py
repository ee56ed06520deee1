"""The readers give one thing whatever the layout, and name what is wrong with a folder."""

import json
import logging
import shutil
from pathlib import Path
from typing import Any

import anndata as ad
import cv2
import numpy as np
import pandas as pd
import pytest
from builders import GENES, MPP, picture, square_grid, write_her2st, write_hest
from scipy import sparse

from hespotex.common.errors import InputError
from hespotex.sections.images import open_image
from hespotex.sections.readers.her2st import Her2stReader
from hespotex.sections.readers.hest.folder import HestReader
from hespotex.sections.section import SectionKey, check_spots

UM_PER_PX = 200 / 60  # of the her2st tree: neighbours are 60 px apart


def counts_of(section: Any) -> Any:
    return section.adata.X.toarray()


def test_her2st(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    counts = write_her2st(tmp_path)
    write_her2st(tmp_path, "B3")
    reader = Her2stReader(str(tmp_path))
    assert reader.section_keys() == [SectionKey("A1", "A"), SectionKey("B3", "B")]
    with caplog.at_level(logging.INFO):
        section = reader.read("A1")
    # dropped ones are counted
    assert "26 spots with counts, 24 with a position, 24 with both" in caplog.text
    pos, array = square_grid()
    order = [section.barcodes.index(f"{x}x{y}") for x, y in array[1:]]
    np.testing.assert_array_equal(counts_of(section)[order], counts[1:])
    np.testing.assert_array_equal(section.pos_px[order], pos[1:])
    assert section.mpp == pytest.approx(UM_PER_PX) and section.mpp_source == "spot pitch of 200 um"
    assert (section.pitch_um, section.spot_diameter_um) == (200, 100) and list(
        section.adata.var_names
    ) == GENES
    assert (
        sparse.isspmatrix_csr(section.adata.X)
        and section.image is not None
        and section.image.name == "he.jpg"
    )
    np.testing.assert_allclose(section.pos[order], pos[1:] * UM_PER_PX)


def test_her2st_of_chosen_sections_and_mpp(tmp_path: Path) -> None:
    for name in ("A1", "A2", "B1"):
        write_her2st(tmp_path, name)
    reader = Her2stReader(str(tmp_path), mpp=3.4, sections=["A2"])
    assert [key.section_id for key in reader.section_keys()] == ["A2"]
    section = reader.read("A2")
    assert (section.mpp, section.mpp_source) == (3.4, "data.reader.mpp")
    with pytest.raises(
        InputError, match=r"data.reader.sections names \['Z9'\], but .* holds \['A1', 'A2', 'B1'\]"
    ):
        Her2stReader(str(tmp_path), sections=["A1", "Z9"])


def test_her2st_with_a_wrong_mpp(tmp_path: Path) -> None:
    write_her2st(tmp_path)
    with pytest.raises(
        InputError, match=r"A1: at 0\.6900 um/px .* 41\.4 um apart, expected 200 um"
    ) as error:
        Her2stReader(str(tmp_path), mpp=0.69).read("A1")
    assert "data.reader.mpp=3.3333" in str(error.value)


def drop_image(root: Path) -> None:
    (root / "ST-imgs/A/A1/he.jpg").unlink()


def second_image(root: Path) -> None:
    cv2.imwrite(str(root / "ST-imgs/A/A1/other.png"), picture(40, 40))


def drop_image_folder(root: Path) -> None:
    shutil.rmtree(root / "ST-imgs")


def drop_spots(root: Path) -> None:
    (root / "ST-spotfiles/A1_selection.tsv").unlink()


def truncate_counts(root: Path) -> None:
    path = root / "ST-cnts/A1.tsv.gz"
    path.write_bytes(path.read_bytes()[:60])


def other_spots(root: Path) -> None:
    path = root / "ST-spotfiles/A1_selection.tsv"
    pd.read_csv(path, sep="\t").assign(x=lambda t: t["x"] + 40).to_csv(path, sep="\t", index=False)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (drop_image, r"folder is empty: .*A1; set data.reader.root="),
        (second_image, r"expected one image .* in .*A1, found 2: \['he.jpg', 'other.png'\]"),
        (drop_image_folder, r"folder not found: .*ST-imgs/A/A1; set data.reader.root="),
        (drop_spots, r"table not found: .*A1_selection.tsv"),
        (truncate_counts, r"A1.tsv.gz: cannot be read as a table"),
        (other_spots, r"A1: no spot of .*A1.tsv.gz is in .*A1_selection.tsv"),
    ],
)
def test_her2st_damaged(tmp_path: Path, damage: Any, message: str) -> None:
    write_her2st(tmp_path)
    damage(tmp_path)
    with pytest.raises(InputError, match=message):
        Her2stReader(str(tmp_path)).read("A1")


def test_her2st_without_counts(tmp_path: Path) -> None:
    (tmp_path / "ST-cnts").mkdir()
    (tmp_path / "ST-cnts" / "readme.txt").touch()
    with pytest.raises(
        InputError, match=r"no counts such as A1.tsv.gz in .*ST-cnts: is data.reader.root right"
    ):
        Her2stReader(str(tmp_path))


def test_her2st_genes_named_twice_are_summed(tmp_path: Path) -> None:
    counts = write_her2st(tmp_path, genes=["AAA", "BBB", "BBB"])
    section = Her2stReader(str(tmp_path)).read("A1")
    assert list(section.adata.var_names) == ["AAA", "BBB"]
    assert counts_of(section)[:, 1].sum() == counts[1:, 1:].sum()


@pytest.mark.parametrize("column", ["x", "pixel_x"])
def test_her2st_spot_file_without_a_column(tmp_path: Path, column: str) -> None:
    write_her2st(tmp_path)
    path = tmp_path / "ST-spotfiles" / "A1_selection.tsv"
    pd.read_csv(path, sep="\t").drop(columns=column).to_csv(path, sep="\t", index=False)
    with pytest.raises(InputError, match=r"A1_selection\.tsv"):
        Her2stReader(str(tmp_path)).read("A1")


@pytest.mark.parametrize("n_spots", [1, 25])
def test_her2st_without_a_pitch(tmp_path: Path, n_spots: int) -> None:
    """All spots on one place, or one spot: the pixel size cannot be read off the pitch."""
    write_her2st(tmp_path)
    path = tmp_path / "ST-spotfiles" / "A1_selection.tsv"
    table = pd.read_csv(path, sep="\t").assign(pixel_x=0, pixel_y=0)
    table[-n_spots:].to_csv(path, sep="\t", index=False)
    with pytest.raises(InputError, match="A1"):
        Her2stReader(str(tmp_path)).read("A1")


@pytest.mark.parametrize("obs", [False, True])
def test_hest_spots_all_on_one_place(tmp_path: Path, obs: bool) -> None:
    write_hest(tmp_path)
    change_h5ad(tmp_path, spatial=np.zeros((25, 2)), obs=obs)
    with pytest.raises(InputError, match="T1"):
        HestReader(str(tmp_path)).read("T1")


@pytest.mark.parametrize("reader", [Her2stReader, HestReader])
def test_missing_and_empty_folders(tmp_path: Path, reader: Any) -> None:
    with pytest.raises(
        InputError, match=r"folder not found: .*nowhere.*; set data.reader.root=PATH"
    ):
        reader(str(tmp_path / "nowhere"))
    for name in ("st", "ST-cnts"):
        (tmp_path / "root" / name).mkdir(parents=True)
    with pytest.raises(
        InputError, match=r"folder is empty: .*(st|ST-cnts); set data.reader.root=PATH"
    ):
        reader(str(tmp_path / "root"))


@pytest.mark.parametrize("name", ["B4", "C2", "C3", "C4", "C5"])
def test_real_her2st(shared: Path, name: str) -> None:
    reader = Her2stReader(str(shared / "data" / "her2st"))
    assert [(k.section_id, k.group) for k in reader.section_keys()] == [
        ("B4", "B"),
        *((f"C{i}", "C") for i in (2, 3, 4, 5)),
    ]
    section = reader.read(name)
    assert 180 <= section.adata.n_obs <= 283 and 15_289 <= section.adata.n_vars <= 15_842
    assert section.mpp == pytest.approx(0.69, abs=0.02) and section.adata.var_names.is_unique
    assert (
        section.adata.X.data == np.round(section.adata.X.data)
    ).all() and section.adata.X.data.min() > 0
    if name == "B4":  # decoding all five costs seconds
        assert section.image is not None
        check_spots(section, *open_image(section.image).size)


def test_hest_with_an_image(tmp_path: Path) -> None:
    counts = write_hest(tmp_path)
    write_hest(tmp_path, "T2", patient="P2")
    reader = HestReader(str(tmp_path))
    assert reader.section_keys() == [SectionKey("T1", "P1"), SectionKey("T2", "P2")]
    section = reader.read("T1")
    np.testing.assert_array_equal(counts_of(section), counts)
    np.testing.assert_array_equal(section.pos_px, square_grid()[0])
    assert section.barcodes[:2] == ["000x000", "000x001"] and section.patches is None
    assert (section.mpp, section.mpp_source) == (MPP, "metadata estimate")
    assert (section.pitch_um, section.spot_diameter_um) == (
        120,
        55,
    ) and section.image == tmp_path / "wsis" / "T1.tif"


@pytest.mark.parametrize(
    ("embedded", "estimated", "override", "mpp", "source"),
    [
        (2.05, 2.0, None, 2.0, "metadata estimate"),
        (352.8, 2.0, None, 2.0, "metadata estimate"),  # a 72 dpi default does no harm
        (2.05, float("nan"), None, 2.05, "embedded in the image"),
        (2.05, None, None, 2.05, "embedded in the image"),
        (2.05, "", None, 2.05, "embedded in the image"),
        (1.0, 1.0, 1.95, 1.95, "data.reader.mpp"),
    ],
)
def test_hest_pixel_size(
    tmp_path: Path,
    embedded: float,
    estimated: float | None,
    override: float | None,
    mpp: float,
    source: str,
) -> None:
    write_hest(tmp_path, mpp=embedded, pixel_size_um_estimated=estimated)
    section = HestReader(str(tmp_path), mpp=override).read("T1")
    assert section.mpp == pytest.approx(mpp) and section.mpp_source == source


@pytest.mark.parametrize("embedded", [None, 352.8])
def test_hest_without_any_pixel_size(tmp_path: Path, embedded: float | None) -> None:
    write_hest(tmp_path, mpp=embedded, pixel_size_um_estimated=float("nan"))
    with pytest.raises(
        InputError, match=r"T1: neither metadata nor image tell the pixel size; set data.reader.mpp"
    ):
        HestReader(str(tmp_path)).read("T1")


@pytest.mark.parametrize(("mpp", "found"), [(4.0, "240.0 um apart"), (1.0, "60.0 um apart")])
def test_hest_two_times_off(tmp_path: Path, mpp: float, found: str) -> None:
    write_hest(tmp_path, pixel_size_um_estimated=mpp)
    with pytest.raises(
        InputError, match=f"T1: at {mpp:.4f} um/px .metadata estimate. .* {found}, expected 120 um"
    ) as error:
        HestReader(str(tmp_path)).read("T1")
    assert "data.reader.mpp=2.0000" in str(error.value)


def test_hest_visium_columns_count_twice(tmp_path: Path) -> None:
    write_hest(tmp_path, st_technology="Visium")
    path = tmp_path / "st" / "T1.h5ad"
    table = ad.read_h5ad(path)
    table.obs["array_col"] *= 2
    table.write_h5ad(path)
    assert HestReader(str(tmp_path)).read("T1").mpp == MPP


def test_hest_with_patches_only(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    counts = write_hest(tmp_path, image=False, patches=[9, 2, 17])
    with caplog.at_level(logging.INFO):
        section = HestReader(str(tmp_path)).read("T1")
    assert "3 of 25 spots have a stored patch" in caplog.text
    assert section.image is None and section.patches == tmp_path / "patches" / "T1.h5"
    np.testing.assert_array_equal(counts_of(section), counts[[2, 9, 17]])
    np.testing.assert_array_equal(section.pos_px, square_grid()[0][[2, 9, 17]])


def test_hest_without_pixels(tmp_path: Path) -> None:
    write_hest(tmp_path, image=False)
    with pytest.raises(InputError, match=r"T1: no image: expected wsis/T1.tif or .*patches/T1.h5"):
        HestReader(str(tmp_path)).read("T1")


@pytest.mark.parametrize(
    ("labels", "groups"),
    [
        ([("P1", "s"), ("P1", "s"), ("P2", "s")], ["P1", "P1", "P2"]),
        # blank: the study, not one patient for all
        ([("", "s"), (None, "s"), (float("nan"), "t")], ["s", "s", "t"]),
        ([("P1", "s"), ("P1", "t"), ("P2", "t")], ["s: P1", "t: P1", "P2"]),
        ([("", ""), (" ", None)], ["T0", "T1"]),
        ([(1, "s"), ("1", "s"), (" 1 ", "s")], ["1", "1", "1"]),
    ],
)
def test_hest_groups(tmp_path: Path, labels: list[tuple[Any, Any]], groups: list[str]) -> None:
    for i, (patient, study) in enumerate(labels):
        write_hest(tmp_path, f"T{i}", image=False, patient=patient, dataset_title=study)
    assert [key.group for key in HestReader(str(tmp_path)).section_keys()] == groups


def test_hest_chosen_sections(tmp_path: Path) -> None:
    for name in ("T1", "T2"):
        write_hest(tmp_path, name, image=False)
    (tmp_path / "metadata" / "T1.json").unlink()  # not needed for a section that is not used
    assert [
        key.section_id for key in HestReader(str(tmp_path), sections=["T2"]).section_keys()
    ] == ["T2"]
    with pytest.raises(
        InputError, match=r"data.reader.sections names \['T9'\], but .*st holds \['T1', 'T2'\]"
    ):
        HestReader(str(tmp_path), sections=["T9"])
    with pytest.raises(InputError, match=r"metadata not found: .*T1.json"):
        HestReader(str(tmp_path)).read("T1")


@pytest.mark.parametrize("text", ["{", "", "\x00"])
def test_hest_metadata_that_is_no_json(tmp_path: Path, text: str) -> None:
    write_hest(tmp_path, image=False)
    (tmp_path / "metadata" / "T1.json").write_text(text)
    with pytest.raises(InputError, match=r"T1.json: not valid JSON"):
        HestReader(str(tmp_path)).read("T1")


@pytest.mark.parametrize("text", ["null", "[1]", "[]", "3"])
def test_hest_metadata_that_is_no_object(tmp_path: Path, text: str) -> None:
    write_hest(tmp_path, image=False)
    (tmp_path / "metadata" / "T1.json").write_text(text)
    with pytest.raises(InputError, match=r"T1.json"):
        HestReader(str(tmp_path)).read("T1")


def test_hest_metadata_with_a_byte_order_mark(tmp_path: Path) -> None:
    write_hest(tmp_path)
    path = tmp_path / "metadata" / "T1.json"
    path.write_text(json.dumps(json.loads(path.read_text())), encoding="utf-8-sig")
    assert HestReader(str(tmp_path)).read("T1").mpp == MPP


def test_hest_without_positions(tmp_path: Path) -> None:
    write_hest(tmp_path, spatial=False)
    with pytest.raises(
        InputError,
        match=r'T1.h5ad: expected spot centres .* in obsm\["spatial"\], found obsm keys \[\]',
    ):
        HestReader(str(tmp_path)).read("T1")


@pytest.mark.parametrize("n_bytes", [0, 1000, -200])
def test_hest_corrupt_h5ad(tmp_path: Path, n_bytes: int) -> None:
    write_hest(tmp_path)
    path = tmp_path / "st" / "T1.h5ad"
    path.write_bytes(path.read_bytes()[:n_bytes])
    with pytest.raises(InputError, match=r"T1.h5ad: cannot be read as h5ad .*is the file whole"):
        HestReader(str(tmp_path)).read("T1")


@pytest.mark.parametrize("broken", [b"", b"no hdf5"])
def test_hest_corrupt_patches(tmp_path: Path, broken: bytes) -> None:
    write_hest(tmp_path, image=False, patches=[1])
    (tmp_path / "patches" / "T1.h5").write_bytes(broken)
    with pytest.raises(InputError, match=r"patches/T1.h5"):
        HestReader(str(tmp_path)).read("T1")


def test_hest_genes_named_twice_are_summed(tmp_path: Path) -> None:
    counts = write_hest(tmp_path, genes=["BBB", "AAA", "BBB", "CCC"])
    section = HestReader(str(tmp_path)).read("T1")
    assert list(section.adata.var_names) == ["BBB", "AAA", "CCC"]  # the order of first appearance
    np.testing.assert_array_equal(
        counts_of(section), np.c_[counts[:, 0] + counts[:, 2], counts[:, [1, 3]]]
    )


def change_h5ad(root: Path, spatial: Any = None, obs: bool = True, dense: bool = False) -> None:
    path = root / "st" / "T1.h5ad"
    table = ad.read_h5ad(path)
    if spatial is not None:
        table.obsm["spatial"] = spatial
    if not obs:
        table.obs = table.obs[[]]
    if dense:
        table.X = table.X.toarray().astype(np.int64)
    table.write_h5ad(path)


@pytest.mark.parametrize(("obs", "dense"), [(False, False), (True, True)])
def test_hest_of_other_shapes(tmp_path: Path, obs: bool, dense: bool) -> None:
    counts = write_hest(tmp_path)
    change_h5ad(tmp_path, spatial=square_grid()[0].astype(np.int32), obs=obs, dense=dense)
    section = HestReader(str(tmp_path)).read("T1")
    assert section.pos_px.dtype == np.float64 and section.adata.X.dtype == np.float32
    np.testing.assert_array_equal(counts_of(section), counts)


def test_empty_spots_are_dropped_and_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    counts = write_hest(tmp_path)
    section = HestReader(str(tmp_path)).read("T1")
    with caplog.at_level(logging.INFO):
        kept = section.measured_spots(20)
    assert kept.adata.n_obs == (counts.sum(axis=1) >= 20).sum() < 25
    assert f"T1: dropped {25 - kept.adata.n_obs} spots with fewer than 20 counts" in caplog.text
    assert section.without_counts().adata.shape == (25, 0)
    with pytest.raises(InputError, match=r"T1: no spot has 9999 counts; .* lower data.min_counts"):
        section.measured_spots(9999)


@pytest.mark.parametrize(
    ("technology", "meta", "pitch", "diameter"),
    [
        # as in the sample table
        ("Xenium", {"inter_spot_dist": float("nan"), "spot_diameter": float("nan")}, 100, 55),
        ("Xenium", {"inter_spot_dist": 100.0, "spot_diameter": 55.0}, 100, 55),
        # the table gives the native bins
        ("Visium HD", {"inter_spot_dist": 2.0, "spot_diameter": 2.0}, 128, 128),
        ("Visium HD", {"inter_spot_dist": None, "spot_diameter": None}, 128, 128),
        ("Visium HD", {"inter_spot_dist": 128.0, "spot_diameter": 128.0}, 128, 128),
        # bins that were not pooled
        ("Visium HD", {"inter_spot_dist": 16.0, "spot_diameter": 16.0}, 16, 16),
        # cSCC
        ("Spatial Transcriptomics", {"inter_spot_dist": 110.0, "spot_diameter": 150.0}, 110, 150),
    ],
)
@pytest.mark.parametrize("obs", [True, False])
def test_hest_pseudo_spots(
    tmp_path: Path, technology: str, meta: dict[str, Any], pitch: float, diameter: float, obs: bool
) -> None:
    um_per_px = pitch / 60  # of the built tree: neighbours are 60 px apart
    write_hest(
        tmp_path, mpp=um_per_px, st_technology=technology, pixel_size_um_estimated=um_per_px, **meta
    )
    change_h5ad(tmp_path, obs=obs, dense=True)
    section = HestReader(str(tmp_path)).read("T1")
    assert (section.pitch_um, section.spot_diameter_um) == (pitch, diameter)
    write_hest(tmp_path, st_technology=technology, pixel_size_um_estimated=um_per_px * 1.3, **meta)
    with pytest.raises(InputError, match=f"T1: at .* expected {pitch} um"):
        HestReader(str(tmp_path)).read("T1")


def test_hest_patch_source_by_config(tmp_path: Path) -> None:
    write_hest(tmp_path, patches=[3, 4], pixel_size_um_embedded=MPP)
    write_hest(tmp_path, "T2", image=False, patches=[5])
    for source, n_spots in (("auto", 25), ("wsis", 25), ("patches", 2)):
        section = HestReader(str(tmp_path), source=source).read("T1")
        assert section.adata.n_obs == n_spots and (section.image is None) == (source == "patches")
    assert HestReader(str(tmp_path), source="auto").read("T2").adata.n_obs == 1
    with pytest.raises(
        InputError, match=r"T2: no image: expected .*wsis/T2.tif; or set data.reader.source=patches"
    ):
        HestReader(str(tmp_path), source="wsis").read("T2")
    with pytest.raises(
        InputError, match=r"data.reader.source='tiles': expected one of auto, wsis, patches"
    ):
        HestReader(str(tmp_path), source="tiles")


def test_hest_patient_in_the_subseries(tmp_path: Path) -> None:
    labels = [
        ("", "Patient 1 lesional"),
        (" ", "Patient 2 lesional"),
        (None, "Patient 1 other"),
        ("P9", "Patient 1"),
        ("", "?"),
    ]
    for i, (patient, subseries) in enumerate(labels):
        write_hest(tmp_path, f"T{i}", image=False, patient=patient, subseries=subseries)
    assert {key.group for key in HestReader(str(tmp_path)).section_keys()} == {"study"}
    named = HestReader(
        str(tmp_path), sections=["T0", "T1", "T2", "T3"], patient_pattern=r"(Patient \d+)"
    ).section_keys()
    assert [key.group for key in named] == ["Patient 1", "Patient 2", "Patient 1", "P9"]
    blank = HestReader(str(tmp_path), patient_pattern=r"(Patient \d+)").section_keys()
    assert {key.group for key in blank} == {"study"}  # one stays blank: it may be any of them


def test_hest_known_duplicates_are_one_group(tmp_path: Path) -> None:
    for name, patient, study in (
        ("SPA119", "Patient H", "a"),
        ("SPA93", "BC24044", "b"),
        ("SPA92", "BC1", "b"),
    ):
        write_hest(tmp_path, name, image=False, patches=[1], patient=patient, dataset_title=study)
    reader = HestReader(str(tmp_path))
    groups = {key.section_id: key.group for key in reader.section_keys()}
    assert groups == {
        "SPA119": "BC24044 + Patient H",
        "SPA93": "BC24044 + Patient H",
        "SPA92": "BC1",
    }
    assert reader.read("SPA93").key == SectionKey("SPA93", "BC24044 + Patient H")
    assert HestReader(str(tmp_path), sections=["SPA93"]).section_keys() == [
        SectionKey("SPA93", "BC24044")
    ]


def test_her2st_labels_of_a_pathologist(tmp_path: Path) -> None:
    for name in ("A1", "A2"):
        write_her2st(tmp_path, name)
    assert Her2stReader(str(tmp_path)).read("A1").labels is None
    folder = tmp_path / "ST-pat" / "lbl"
    folder.mkdir(parents=True)
    rows = [
        "x\ty\tpixel_x\tpixel_y\tlabel",
        "1.02\t0.01\t1\t1\tinvasive cancer",
        "2\t0\t1\t1\tundetermined",
        "\t\t1\t1\tadipose",
    ]
    (folder / "A1_labeled_coordinates.tsv").write_text(
        "\n".join([*rows, "3.1\t1.9\t1\t1\tadipose tissue", "50\t50\t1\t1\tglands"])
    )
    section = Her2stReader(str(tmp_path)).read("A1")
    assert section.labels is not None
    named = {
        barcode: label
        for barcode, label in zip(section.barcodes, section.labels, strict=True)
        if label
    }
    assert named == {"1x0": "invasive cancer", "3x2": "adipose tissue"}
    assert section.measured_spots(1).without_counts().labels == section.labels
    assert Her2stReader(str(tmp_path)).read("A2").labels is None
    (folder / "A1_labeled_coordinates.tsv").write_text("x\ty\n1\t0\n")
    with pytest.raises(
        InputError, match=r"A1_labeled_coordinates.tsv: columns missing: \['label'\]"
    ):
        Her2stReader(str(tmp_path)).read("A1")
