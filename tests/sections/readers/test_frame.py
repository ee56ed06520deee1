"""Positions that are no px of the image, x then y: told by names, scale factors, array and
tissue.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import anndata as ad
import cv2
import numpy as np
import pandas as pd
import pytest
from builders import write_her2st, write_pyramid
from builders.visium import as_adata, truth, write_flat, write_hest_visium, write_visium
from numpy.typing import NDArray

from hespotex.common.errors import InputError
from hespotex.sections.readers.checks.frame import pair_of, xy_of
from hespotex.sections.readers.h5ad import H5adReader
from hespotex.sections.readers.her2st import Her2stReader
from hespotex.sections.readers.hest.folder import HestReader
from hespotex.sections.readers.slide import read_positions
from hespotex.sections.readers.spaceranger.visium import VisiumReader
from hespotex.sections.section import Section

Table = Any  # AnnData


def read(root: Path, table: Table, **options: Any) -> Section:
    write_flat(root, "A", table=table)
    return H5adReader(str(root), **{"mpp": 2.0, **options}).read("A")


def frame_of(x: str, y: str, first: str = "y") -> pd.DataFrame:
    pos = truth().pos
    index = truth().barcodes
    columns = {y: pos[:, 1], x: pos[:, 0]} if first == "y" else {x: pos[:, 0], y: pos[:, 1]}
    return pd.DataFrame(columns, index=index)


@pytest.mark.parametrize(
    ("x", "y"),
    [
        ("pxl_col_in_fullres", "pxl_row_in_fullres"),
        ("x", "y"),
        ("X", "Y"),
        ("pixel_x", "pixel_y"),
        ("imagecol", "imagerow"),
        ("x_centroid", "y_centroid"),
        (" x", "y "),
        ("col", "row"),
    ],
)
@pytest.mark.parametrize("first", ["x", "y"])
def test_columns_are_taken_by_name(tmp_path: Path, x: str, y: str, first: str) -> None:
    table = as_adata(truth())
    table.obsm["spatial"] = frame_of(x, y, first)
    np.testing.assert_allclose(read(tmp_path, table).pos_px, truth().pos)
    np.testing.assert_allclose(read_positions(tmp_path / "A.h5ad")[1], truth().pos)
    frame_of(x, y, first).to_csv(tmp_path / "spots.csv", index=False)
    np.testing.assert_allclose(read_positions(tmp_path / "spots.csv")[1], truth().pos)


@pytest.mark.parametrize("names", [("spatial1", "spatial2"), ("0", "1"), ("dim_1", "dim_2")])
def test_numbered_columns_are_in_order(names: tuple[str, str]) -> None:
    table = pd.DataFrame({names[1]: [3.0, 4.0], names[0]: [1.0, 2.0]})
    assert xy_of(table, "here").tolist() == [[1, 3], [2, 4]]


@pytest.mark.parametrize(
    "names",
    [
        ("a", "b"),
        ("array_row", "array_col"),
        ("lat", "lon"),
        ("pxl_row_in_hires", "pxl_col_in_hires"),
    ],
)
def test_names_that_do_not_tell(tmp_path: Path, names: tuple[str, str]) -> None:
    assert pair_of(names) is None
    table = as_adata(truth())
    table.obsm["spatial"] = frame_of(*names)
    with pytest.raises(InputError, match="do not say which is x and which y"):
        read(tmp_path, table)


def obsm(value: Callable[[NDArray[np.float64]], Any]) -> Callable[[Table], None]:
    def change(table: Table) -> None:
        table.obsm["spatial"] = value(truth().pos)

    return change


def scale(table: Table, **factors: Any) -> Table:
    table.uns["spatial"] = {"is_single": True, "L1": {"scalefactors": factors}}
    return table


def hires(table: Table) -> None:
    scale(table, spot_diameter_fullres=32.5, tissue_hires_scalef=0.2)
    table.obsm["spatial"] = truth().pos * 0.2


def micrometres(table: Table) -> None:
    scale(table, spot_diameter_fullres=180.0)


def of_the_array(table: Table) -> None:
    table.obsm["spatial"] = truth().array.astype(float)


def of_the_array_told_by_diameter(table: Table) -> None:
    of_the_array(table)
    del table.obs["array_row"]
    scale(table, spot_diameter_fullres=65.0)


def exchanged_by_array(table: Table) -> None:
    table.obsm["spatial"] = truth().pos[:, ::-1] * 0.9


def exchanged_by_obs(table: Table) -> None:
    pos = truth().pos * 0.9
    table.obs["pxl_col_in_fullres"], table.obs["pxl_row_in_fullres"] = pos.T
    table.obsm["spatial"] = pos[:, ::-1]


def scaled_by_obs(table: Table) -> None:
    table.obs["pxl_col_in_fullres"], table.obs["pxl_row_in_fullres"] = truth().pos.T
    table.obsm["spatial"] = truth().pos * 0.5


def in_a_corner(table: Table) -> None:
    table.obs = table.obs[[]]
    table.obsm["spatial"] = truth().pos * 0.1


def one_place(table: Table) -> None:
    pos = truth().pos.copy()
    pos[5] = pos[4]
    table.obsm["spatial"] = pos


def libraries(table: Table) -> None:
    table.obs["library_id"] = np.repeat(["L1", "L2"], 18)


def libraries_of_nobody(table: Table) -> None:
    table.uns["spatial"] = {"L1": {"scalefactors": {}}, "L2": {"scalefactors": {}}}


REFUSED: dict[Callable[[Table], None], str] = {
    hires: r"10 px apart, but a spot is 32.5 px wide .*hires: divide them by 0.2",
    micrometres: r"50 px apart, but a spot is 180 px wide",
    of_the_array: r"those on the array \(array_col, array_row\), not px",
    of_the_array_told_by_diameter: r"px apart, but a spot is 65 px wide",
    exchanged_by_array: r"lies mirrored on the image, as where x and y are exchanged",
    exchanged_by_obs: r"x and y are exchanged: obs has them as",
    scaled_by_obs: r"obs pxl_col_in_fullres, pxl_row_in_fullres times 0.5",
    in_a_corner: r"upper left corner of the image, while the tissue goes on",
    one_place: r"1 spots lie at the place of another one",
    libraries_of_nobody: r'uns\["spatial"\] holds 2 libraries .*data.reader.library_key',
}


@pytest.mark.parametrize("change", REFUSED, ids=lambda change: change.__name__)
def test_another_frame_is_refused_with_the_way_out(
    tmp_path: Path, change: Callable[[Table], None]
) -> None:
    table = as_adata(truth())
    change(table)
    with pytest.raises(
        InputError, match=f"(?s)A: .*{REFUSED[change]}.*data.reader.check_frame=false"
    ):
        read(tmp_path, table)
    assert len(read(tmp_path, table, check_frame=False).adata) == 36


@pytest.mark.parametrize("change", [hires, exchanged_by_obs, scaled_by_obs, one_place, libraries])
def test_hest_and_positions_ask_the_same(tmp_path: Path, change: Callable[[Table], None]) -> None:
    table = as_adata(truth())
    change(table)
    write_hest_visium(tmp_path, "T1", truth())
    path = tmp_path / "st" / "T1.h5ad"
    table.write_h5ad(path)
    with pytest.raises(InputError, match="check_frame=false"):
        HestReader(str(tmp_path), mpp=2.0).read("T1")
    with pytest.raises(InputError, match="check_frame=false"):
        read_positions(path)


@pytest.mark.parametrize(
    "spatial",
    [
        "text",
        np.array(["a", "b"]),
        np.array([1.0, 2.0]),
        {"is_single": True},
        {"L": {"scalefactors": "x"}},
        {"L": {"images": {}}},
        {"L": {"scalefactors": {"spot_diameter_fullres": "x"}}},
    ],
)
def test_uns_spatial_of_any_kind(tmp_path: Path, spatial: Any) -> None:
    table = as_adata(truth())
    table.uns["spatial"] = spatial
    assert len(read(tmp_path, table).adata) == 36


def test_one_library_of_many_is_taken_by_its_name(tmp_path: Path) -> None:
    table = as_adata(truth())
    table.obs["library_id"] = "L2"
    table.uns["spatial"] = {
        name: {"scalefactors": {"microns_per_pixel": mpp}}
        for name, mpp in (("L1", 1.0), ("L2", 2.0))
    }
    assert read(tmp_path, table, mpp=None).mpp == 2.0


@pytest.mark.parametrize(
    "value",
    [lambda p: p[:, :1], lambda p: np.c_[p, np.arange(36)], lambda p: p[:, 0]],
)
def test_positions_of_another_shape(value: Any) -> None:
    with pytest.raises(InputError, match="expected two columns, x then y"):
        xy_of(value(truth().pos), "here")
    flat = np.c_[truth().pos, np.zeros(36)]
    np.testing.assert_array_equal(xy_of(flat, "here"), truth().pos)


def on_glass(exchange: bool) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """A picture with tissue above and glass below, and spots on that tissue."""
    picture = np.full((600, 600, 3), 245, np.uint8)
    picture[:250] = (190, 110, 160)
    row, column = np.divmod(np.arange(60), 12)
    pos = np.stack([25 + 48.0 * column, 25 + 48.0 * row], axis=1)
    return picture, pos[:, ::-1] if exchange else pos


@pytest.mark.parametrize("exchange", [False, True])
@pytest.mark.parametrize("hest", [False, True])
def test_spots_on_glass(tmp_path: Path, exchange: bool, hest: bool) -> None:
    picture, pos = on_glass(exchange)
    table = ad.AnnData(np.ones((60, 4), np.float32))
    table.obs_names, table.obsm["spatial"] = [f"b{i}" for i in range(60)], pos
    if hest:
        write_hest_visium(tmp_path, "A", truth())
        table.write_h5ad(tmp_path / "st" / "A.h5ad")
        write_pyramid(tmp_path / "wsis" / "A.tif", [picture])
        reader: Any = HestReader(str(tmp_path), mpp=100 / 48)
    else:
        write_flat(tmp_path, "A", table=table)
        write_pyramid(tmp_path / "A.tif", [picture])
        reader = H5adReader(str(tmp_path), mpp=2.0)
    if not exchange:
        assert len(reader.read("A").adata) == 60
        return
    with pytest.raises(
        InputError, match=r"A: \d+% of the spots lie on tissue; with x and y exchanged, 100%"
    ):
        reader.read("A")


def glass_but(part: NDArray[np.float64], width: int, height: int) -> NDArray[np.uint8]:
    """Glass with tissue on the rectangle of these positions."""
    image = np.full((height, width, 3), 245, np.uint8)
    low = np.maximum(part.min(axis=0).astype(int) - 20, 0)
    high = part.max(axis=0).astype(int) + 20
    image[low[1] : high[1], low[0] : high[0]] = (160, 110, 190)
    return image


def her2st_on(root: Path, move: float = 0.0, mirror: bool = False) -> Her2stReader:
    """A section whose tissue lies `move` px to the right of its spots."""
    write_her2st(root)
    file = root / "ST-spotfiles" / "A1_selection.tsv"
    spots = pd.read_csv(file, sep="\t")
    tissue = spots[["pixel_x", "pixel_y"]].to_numpy() + np.array([move, 0.0])
    cv2.imwrite(str(root / "ST-imgs/A/A1/he.jpg"), glass_but(tissue, 700, 700))
    if mirror:
        spots["pixel_x"] = spots["pixel_x"].max() + spots["pixel_x"].min() - spots["pixel_x"]
        spots.to_csv(file, sep="\t", index=False)
    return Her2stReader(str(root))


def test_legacy_st_on_glass(tmp_path: Path) -> None:
    assert len(her2st_on(tmp_path).read("A1").adata) == 24
    moved = her2st_on(tmp_path, move=340)
    with pytest.raises(InputError, match=r"A1: only \d+% of the spots.*check_frame=false"):
        moved.read("A1")
    moved.check_frame = False
    assert len(moved.read("A1").adata) == 24


def test_legacy_st_with_a_mirrored_array(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"A1: the array .* lies mirrored on the image"):
        her2st_on(tmp_path, mirror=True).read("A1")


def test_visium_on_the_image_of_another_sample(tmp_path: Path) -> None:
    spots = write_visium(tmp_path / "V1")
    for move, fits in (((0, 0), True), ((400, 330), False)):
        write_pyramid(tmp_path / "V1" / "he.tif", [glass_but(spots.pos + move, 800, 650)])
        if fits:
            assert len(VisiumReader(str(tmp_path)).read("V1").adata) == 36
    with pytest.raises(InputError, match=r"V1: only \d+% of the spots lie on tissue"):
        VisiumReader(str(tmp_path)).read("V1")
    assert len(VisiumReader(str(tmp_path), check_frame=False).read("V1").adata) == 36
