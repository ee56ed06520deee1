"""A mapping by id loses nothing: files, folders, links, barcodes and names that are there twice."""

import gzip
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import pytest
from builders import write_her2st, write_hest
from builders.visium import as_adata, truth, write_flat, write_image, write_visium

from hespotex.common.errors import InputError
from hespotex.sections.ids import by_id, plain_id, typed_ids
from hespotex.sections.readers.groups import read_groups
from hespotex.sections.readers.h5ad import H5adReader
from hespotex.sections.readers.her2st import Her2stReader
from hespotex.sections.readers.hest.folder import HestReader
from hespotex.sections.readers.hest.table import read_sample_table
from hespotex.sections.readers.pictures import images_of
from hespotex.sections.readers.slide import read_positions
from hespotex.sections.readers.spaceranger.visium import VisiumReader
from hespotex.sections.section import SectionKey
from hespotex.sections.sections import keys_by_id


def test_files_of_one_name_are_told_apart_by_folder(tmp_path: Path) -> None:
    paths = [write_flat(tmp_path / name, "adata", truth(seed=i)) for i, name in enumerate("ABC")]
    paths.append(write_flat(tmp_path / "C", "other", truth(seed=3)))
    reader = H5adReader([str(path) for path in paths], mpp=2.0)
    ids = [key.section_id for key in reader.section_keys()]
    assert ids == ["A_adata", "B_adata", "C_adata", "other"]
    for seed, name in enumerate(ids):
        section = reader.read(name)
        np.testing.assert_array_equal(section.adata.X.toarray(), truth(seed=seed).counts)
        assert section.image == paths[seed].with_suffix(".tif")


@pytest.mark.parametrize("listed", [["A/x", "A/x"], ["A/x", "A/../A/x"], ["A/x", "B/A/x"]])
def test_files_that_cannot_be_told_apart(tmp_path: Path, listed: list[str]) -> None:
    for folder in ("A", "B/A"):
        write_flat(tmp_path / folder, "x")
    with pytest.raises(InputError, match=r"ids are there more than once, such as .*x"):
        H5adReader([str(tmp_path / f"{name}.h5ad") for name in listed])


def test_hidden_files_are_no_sections(tmp_path: Path) -> None:
    path = write_flat(tmp_path, "A")
    for name in ("._A.h5ad", ".A.12.part.h5ad"):
        shutil.copy(path, tmp_path / name)
    assert [key.section_id for key in H5adReader(str(tmp_path)).section_keys()] == ["A"]


@pytest.mark.parametrize("inside", ["", "outs"])
def test_linked_sample_folders_keep_their_names(tmp_path: Path, inside: str) -> None:
    root = tmp_path / "root"
    root.mkdir()
    for i, name in enumerate(("S1", "S2", "S3")):
        outs = tmp_path / f"run{i}" / "same"
        write_visium(outs, spots=truth(seed=i))
        link = root / name / inside if inside else root / name
        link.parent.mkdir(exist_ok=True)
        link.symlink_to(outs)
    reader = VisiumReader(str(root))
    assert [key.section_id for key in reader.section_keys()] == ["S1", "S2", "S3"]


def test_two_outs_of_one_name(tmp_path: Path) -> None:
    write_visium(tmp_path / "S1")
    write_visium(tmp_path / "S1" / "outs")
    with pytest.raises(InputError, match=r"folders of one name in .*'S1'"):
        VisiumReader(str(tmp_path))


def twice_counts(root: Path) -> None:
    path = root / "ST-cnts" / "A1.tsv.gz"
    (root / "ST-cnts" / "A1.tsv").write_bytes(gzip.decompress(path.read_bytes()))


def twice_row(root: Path) -> None:
    path = root / "ST-cnts" / "A1.tsv.gz"
    lines = gzip.decompress(path.read_bytes()).decode().splitlines()
    path.write_bytes(gzip.compress("\n".join([*lines, lines[3]]).encode()))


def twice_spot(root: Path) -> None:
    path = root / "ST-spotfiles" / "A1_selection.tsv"
    table = pd.read_csv(path, sep="\t")
    other = table.iloc[[4]].assign(pixel_x=1.0)
    pd.concat([table, other]).to_csv(path, sep="\t", index=False)


def twice_label(root: Path) -> None:
    path = root / "ST-pat" / "lbl" / "A1_labeled_coordinates.tsv"
    path.parent.mkdir(parents=True)
    path.write_text("x\ty\tlabel\n1\t1\ttumour\n1\t1\tfat\n")


HER2ST: dict[Callable[[Path], None], str] = {
    twice_counts: "tables of counts .*A1.tsv.gz.*keep one",
    twice_row: r"spots of .*A1.tsv.gz.*occur more than once",
    twice_spot: r"spots of .*A1_selection.tsv.*occur more than once",
    twice_label: r"labels of .*occur more than once, such as \['1x1'\]",
}


@pytest.mark.parametrize("damage", HER2ST, ids=lambda damage: damage.__name__)
def test_her2st_named_twice(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    write_her2st(tmp_path)
    damage(tmp_path)
    with pytest.raises(InputError, match=HER2ST[damage]):
        Her2stReader(str(tmp_path)).read("A1")


@pytest.mark.parametrize("change", ["twice", "missing"])
def test_stored_patches_have_a_barcode_each(tmp_path: Path, change: str) -> None:
    write_hest(tmp_path, image=False, patches=range(6))
    with h5py.File(tmp_path / "patches" / "T1.h5", "r+") as file:
        names = file["barcode"][:]
        del file["barcode"]
        names[3] = names[2]
        file["barcode"] = names if change == "twice" else names[:5]
    with pytest.raises(InputError, match=r"occur more than once|6 patches, but 5 barcodes"):
        HestReader(str(tmp_path)).read("T1")


def test_a_sample_table_with_two_lines_of_one_id(tmp_path: Path) -> None:
    (tmp_path / "HEST_v1_0_0.csv").write_text("id,patient\nA,P1\nA,P1\n")
    table = read_sample_table(tmp_path)
    assert table is not None and list(table.rows.index) == ["A"]
    (tmp_path / "HEST_v1_0_0.csv").write_text("id,patient\nA,P1\nA,P2\n")
    with pytest.raises(InputError, match=r"ids of the sample table.*\['A'\]"):
        read_sample_table(tmp_path)


@pytest.mark.parametrize("kind", ["tissue_positions.csv", "spots.csv", "spots.h5ad"])
def test_positions_with_a_barcode_twice(tmp_path: Path, kind: str) -> None:
    path = tmp_path / kind
    if kind.endswith("h5ad"):
        table = as_adata(truth())
        table.obs_names = ["x", *table.obs_names[1:-1], "x"]
        table.write_h5ad(path)
    elif kind == "spots.csv":
        path.write_text("barcode,x,y\na,10,10\nb,20,20\na,30,30\n")
    else:
        path.write_text("".join(f"a-1,1,0,{i},{i}0,50\n" for i in range(3)))
    with pytest.raises(InputError, match=r"occur more than once"):
        read_positions(path)


def test_a_reader_with_two_sections_of_one_id() -> None:
    with pytest.raises(InputError, match=r"sections of data.reader: .*'A'"):
        keys_by_id([SectionKey("A", "P1"), SectionKey("B", "P1"), SectionKey("A", "P2")])
    assert list(by_id([("a", 1), ("b", 2)], "", "")) == ["a", "b"]


@pytest.mark.parametrize(
    ("asked", "known", "expected"),
    [
        ([151507], ["151507", "151508"], ["151507"]),
        (151507, ["151507"], ["151507"]),
        ("A1", ["A1", "A", "1"], ["A1"]),
        ([20260501], ["2026_05_01", "x"], ["2026_05_01"]),
        ([1.1], ["1.10"], ["1.10"]),
        ([7], ["007", "07"], ["7"]),  # two could be meant: none is taken
        ([5, "A"], ["A"], ["5", "A"]),
    ],
)
def test_ids_that_were_read_as_numbers(asked: Any, known: list[str], expected: list[str]) -> None:
    assert typed_ids(asked, known) == expected


def test_numeric_sections_groups_and_images(tmp_path: Path) -> None:
    for name in ("151507", "2026_05_01"):
        write_flat(tmp_path, name)
    images: Any = {151507: write_image(tmp_path / "one.tif"), 20260501: tmp_path / "one.tif"}
    groups: Any = {151507: 1, 20260501: "P2"}
    sections: Any = [151507, 20260501]
    reader = H5adReader(str(tmp_path), images, groups, mpp=2.0, sections=sections)
    keys = [(key.section_id, key.group) for key in reader.section_keys()]
    assert keys == [("151507", "1"), ("2026_05_01", "P2")]
    assert reader.read("2026_05_01").image == tmp_path / "one.tif"
    unknown: Any = [151508]
    with pytest.raises(InputError, match=r"data.reader.sections names \['151508'\], but"):
        H5adReader(str(tmp_path), sections=unknown)


@pytest.mark.parametrize("value", ["1", 1, 1.0, np.int8(1), np.float32(1), b"1", " 1 "])
def test_one_patient_however_it_is_stored(value: Any) -> None:
    assert plain_id(value) == "1"
    assert read_groups({"A": value}, ["A"]) == {"A": "1"}


@pytest.mark.parametrize("value", [None, float("nan"), "nan", " ", np.float64("nan")])
def test_a_blank_patient_is_none(value: Any) -> None:
    with pytest.raises(InputError, match="names no patient of"):
        read_groups({"A": value}, ["A"])


@pytest.mark.parametrize(
    ("files", "others", "expected"),
    [
        (["P1.tif", "P1.rep2.tif"], ["P1", "P1.rep2"], ["P1.tif"]),
        (["P1.ome.tif", "P1.rep2.tif"], ["P1", "P1.rep2"], ["P1.ome.tif"]),
        (["P1.uuid.svs"], ["P1"], ["P1.uuid.svs"]),
        (["P1.rep2.tif"], ["P1", "P1.rep2"], []),
        (["P1.tif", "P1_image.tif"], ["P1", "P1_image"], ["P1.tif"]),
        (["P1_image.tif"], ["P1"], ["P1_image.tif"]),
        (["P1.tif", "P1_image.tif"], ["P1"], ["P1.tif", "P1_image.tif"]),
        (["P1.tif", "._P1.tif"], ["P1"], ["P1.tif"]),
    ],
)
def test_images_of_names_with_dots(
    tmp_path: Path, files: list[str], others: list[str], expected: list[str]
) -> None:
    for name in files:
        (tmp_path / name).write_bytes(b"")
    assert [path.name for path in images_of(tmp_path, "P1", others)] == expected
