"""Several libraries in one h5ad are several sections, each as if it had a file of its own."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from builders.visium import as_adata, truth, write_flat, write_hest_visium, write_image

from hespotex.common.errors import InputError
from hespotex.sections.readers.h5ad import H5adReader
from hespotex.sections.readers.hest.folder import HestReader
from hespotex.sections.section import Section

NAMES = ["L1", "L2"]


def merged(column: str = "library_id", mpp: tuple[float, float] = (2.0, 2.1)) -> ad.AnnData:
    """Two sections as scanpy joins them: barcodes of both alike, `uns` with a key for each."""
    tables = [as_adata(truth(seed=i)) for i in range(2)]
    for name, table in zip(NAMES, tables, strict=True):
        table.obs[column] = name
        table.obs["donor"] = f"P{name[1]}"
    table = ad.concat(tables)
    table.uns["spatial"] = {
        name: {"scalefactors": {"microns_per_pixel": one}}
        for name, one in zip(NAMES, mpp, strict=True)
    }
    return table


def write(folder: Path, table: ad.AnnData, images: tuple[str, ...] = ("L1", "L2")) -> Path:
    folder.mkdir(exist_ok=True)
    table.write_h5ad(folder / "both.h5ad")
    for seed, name in enumerate(images):
        write_image(folder / f"{name}.tif", seed=seed)
    return folder


def same(one: Section, other: Section) -> None:
    assert one.barcodes == other.barcodes
    np.testing.assert_array_equal(one.adata.X.toarray(), other.adata.X.toarray())
    np.testing.assert_array_equal(one.pos_px, other.pos_px)
    pd.testing.assert_frame_equal(one.adata.obs, other.adata.obs)


@pytest.mark.parametrize("column", ["library_id", "sample", "slide"])
@pytest.mark.parametrize("images", [("L1", "L2"), ("both_L1", "both_L2")])
def test_each_library_is_a_section(tmp_path: Path, column: str, images: tuple[str, str]) -> None:
    reader = H5adReader(str(write(tmp_path / "all", merged(column), images)), group_key="donor")
    keys = {key.section_id: key.group for key in reader.section_keys()}
    assert keys == {"both_L1": "P1", "both_L2": "P2"}
    for number, (section_id, mpp) in enumerate((("both_L1", 2.0), ("both_L2", 2.1))):
        section = reader.read(section_id)
        write_flat(tmp_path, "alone", truth(seed=number))
        same(section, H5adReader(str(tmp_path), mpp=2.0).read("alone"))
        assert (section.mpp, section.image) == (mpp, tmp_path / "all" / f"{images[number]}.tif")


def test_counts_off_the_tissue_are_left_out_in_each(tmp_path: Path) -> None:
    table = merged()
    table.obs["in_tissue"] = np.r_[np.ones(36), np.arange(36) % 2].astype(int)
    reader = H5adReader(str(write(tmp_path, table)))
    assert [len(reader.read(f"both_{name}").adata) for name in NAMES] == [36, 18]


def test_one_of_them(tmp_path: Path) -> None:
    reader = H5adReader(str(write(tmp_path, merged(), ("L2",))), sections=["both_L2"])
    assert [key.section_id for key in reader.section_keys()] == ["both_L2"]
    assert len(reader.read("both_L2").adata) == 36


def test_a_column_that_the_user_names(tmp_path: Path) -> None:
    """Its values are no keys of `uns`: the scale factors are nobody's."""
    table = merged()
    table.obs["biopsy"] = table.obs.pop("library_id").map({"L1": "left", "L2": "right"}).to_numpy()
    table.obs_names_make_unique()
    root = str(write(tmp_path, table, ("left", "right")))
    with pytest.raises(InputError, match=r"holds 2 libraries .*data.reader.library_key"):
        H5adReader(root, {"both": str(tmp_path / "left.tif")}).read("both")
    section = H5adReader(root, library_key="biopsy", mpp=1.9).read("both_right")
    assert (section.mpp, len(section.adata)) == (1.9, 36)
    np.testing.assert_array_equal(section.adata.X.toarray(), truth(seed=1).counts)
    with pytest.raises(InputError, match=r"no column 'sample' in obs, found .*'biopsy'"):
        H5adReader(root, library_key="sample")


def test_spots_without_a_library(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    table = merged()
    table.obs["library_id"] = pd.Categorical(table.obs["library_id"])
    table.obs.iloc[:5, table.obs.columns.get_loc("library_id")] = np.nan
    reader = H5adReader(str(write(tmp_path, table)))
    assert "5 spots name no library in library_id: left out" in caplog.text
    assert len(reader.read("both_L1").adata) == 31


def test_a_library_without_spots(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    table = merged()
    table.uns["spatial"]["L3"] = {"scalefactors": {}}
    reader = H5adReader(str(write(tmp_path, table)))
    assert [key.section_id for key in reader.section_keys()] == ["both_L1", "both_L2"]
    assert """names L3, of which obs['library_id'] has no spot: left out""" in caplog.text


def test_all_as_one_section(tmp_path: Path) -> None:
    table = merged()
    table.obs_names_make_unique()
    table.obsm["spatial"][36:] += [7.0, 5.0]
    image = {"both": str(tmp_path / "L1.tif")}
    reader = H5adReader(str(write(tmp_path, table)), image, mpp=2.0, check_frame=False)
    assert [key.section_id for key in reader.section_keys()] == ["both"]
    assert len(reader.read("both").adata) == 72


def test_a_library_without_an_image(tmp_path: Path) -> None:
    reader = H5adReader(str(write(tmp_path, merged(), ("L1",))))
    with pytest.raises(InputError, match=r"both_L2: no image in .*set data.reader.images"):
        reader.read("both_L2")


def without_patient(table: ad.AnnData) -> None:
    table.obs["donor"] = np.r_[["P1"] * 36, ["P2"] * 18, ["P3"] * 18]


@pytest.mark.parametrize(
    ("change", "message"),
    [(without_patient, r"expected one patient in obs\['donor'\], found \['P2', 'P3'\]")],
)
def test_two_patients_of_one_library(
    tmp_path: Path, change: Callable[[ad.AnnData], Any], message: str
) -> None:
    table = merged()
    change(table)
    with pytest.raises(InputError, match=message):
        H5adReader(str(write(tmp_path, table)), group_key="donor")


def test_hest_has_one_library_a_file(tmp_path: Path) -> None:
    write_hest_visium(tmp_path, "T1", truth())
    table = merged()
    table.obs_names_make_unique()
    table.write_h5ad(tmp_path / "st" / "T1.h5ad")
    with pytest.raises(InputError, match=r"T1: obs\['library_id'\] holds 2 libraries"):
        HestReader(str(tmp_path), mpp=2.0).read("T1")


def test_a_broken_file_is_told_when_it_is_read(tmp_path: Path) -> None:
    root = write(tmp_path, merged())
    (root / "torn.h5ad").write_bytes(b"nothing")
    reader = H5adReader(str(root))
    assert len(reader.section_keys()) == 3
    with pytest.raises(InputError, match="torn"):
        reader.read("torn")
