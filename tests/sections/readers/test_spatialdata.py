"""SpatialData: what a table annotates, on the px of its image, whatever lies between them."""

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from builders import picture
from builders.visium import HEIGHT, WIDTH, Truth, truth, write_image
from conftest import Run

from hespotex.common.errors import InputError
from hespotex.sections.images import open_image
from hespotex.sections.layouts import layout_of
from hespotex.sections.readers import spatialdata as spatialdata_reader
from hespotex.sections.readers.spatialdata import SpatialDataReader
from hespotex.sections.sections import Sections
from hespotex.sections.stored import SectionStore
from hespotex.testing import check_reader
from hespotex.write_back import write_back

SCALE = 0.4  # units of the coordinate system per px of the image


def read(root: Path, **options: Any) -> Any:
    reader = reader_of(root, **options)
    return reader.read(reader.section_keys()[0].section_id)


def reader_of(root: Path, **options: Any) -> SpatialDataReader:
    options = {"copies": str(root.parent / "copies"), "pitch_um": 100.0, **options}
    return SpatialDataReader(str(root), **options)


def test_without_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "S.zarr" / "tables").mkdir(parents=True)
    monkeypatch.setitem(sys.modules, "spatialdata", None)
    with pytest.raises(InputError, match=r"data=spatialdata needs .* `pip install spatialdata`"):
        reader_of(tmp_path)


@pytest.mark.parametrize("name", [".zarray", "zarr.json"])
def test_pickled_values_are_not_read(tmp_path: Path, name: str) -> None:
    pytest.importorskip("spatialdata")
    folder = tmp_path / "S.zarr" / "tables" / "table"
    folder.mkdir(parents=True)
    (folder / name).write_text('{"filters": [{"id": "Pickle"}]}')
    with pytest.raises(InputError, match="pickled Python objects"):
        reader_of(tmp_path)


def test_no_object(tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("none")
    with pytest.raises(InputError, match=r"no SpatialData .*set data.reader.root"):
        reader_of(tmp_path)


def elements(kind: str, spots: Truth, system: str, unit: float) -> Any:
    """The spots as an element of a kind, in units of the coordinate system."""
    import geopandas
    import shapely
    from spatialdata.models import Labels2DModel, PointsModel, ShapesModel
    from spatialdata.transformations import Identity, Scale

    place = {system: Identity()}
    pos = spots.pos * unit
    if kind == "circles":
        return ShapesModel.parse(
            pos, geometry=0, radius=5, index=pd.Index(spots.barcodes), transformations=place
        )
    if kind == "polygons":
        shapes = [shapely.Point(*xy).buffer(4) for xy in pos]
        frame = geopandas.GeoDataFrame(geometry=shapes, index=spots.barcodes)
        return ShapesModel.parse(frame, transformations=place)
    if kind == "points":
        frame = pd.DataFrame(pos, columns=["x", "y"], index=range(1, len(pos) + 1))
        return PointsModel.parse(frame, transformations=place)
    mask = np.zeros((HEIGHT, WIDTH), dtype=np.int64)
    for number, (x, y) in enumerate(spots.pos):
        mask[round(y) - 4 : round(y) + 5, round(x) - 4 : round(x) + 5] = number + 1
    scale = Scale([SCALE, SCALE], axes=("x", "y"))
    return Labels2DModel.parse(mask, dims=("y", "x"), transformations={system: scale})


def write(
    path: Path,
    kind: str = "circles",
    regions: tuple[str, ...] = ("spots",),
    system: str = "global",
    image: bool = True,
    multiscale: bool = True,
    dtype: Any = np.uint8,
) -> dict[str, Truth]:
    """An object with a section for each region; its rows in reverse order."""
    spatialdata = pytest.importorskip("spatialdata")
    from spatialdata.models import Image2DModel, TableModel
    from spatialdata.transformations import Scale

    found = {}
    tables = []
    parts: dict[str, Any] = {}
    for seed, region in enumerate(regions):
        own = f"{system}{seed}" if len(regions) > 1 else system
        spots = found[region] = truth(seed=seed)
        parts[region] = elements(kind, spots, own, SCALE if image else 1.0)
        table = ad.AnnData(spots.counts, var=pd.DataFrame(index=spots.genes))
        table.obs_names = [f"{region}-{name}" for name in spots.barcodes]
        by_number = kind in ("points", "labels")
        ids = range(1, len(spots.pos) + 1) if by_number else spots.barcodes
        table.obs["instance"], table.obs["donor"] = list(ids), f"P{seed}"
        table.obs["region"] = region
        tables.append(table[::-1].copy())
        if image:
            scale = Scale([SCALE, SCALE], axes=("x", "y"))
            for name, factor in ((f"he_{seed}", 1), (f"he_{seed}_hires", 4)):
                pixels = np.moveaxis(picture(WIDTH, HEIGHT, seed), 2, 0)[:, ::factor, ::factor]
                parts[name] = Image2DModel.parse(
                    pixels.astype(dtype), dims=("c", "y", "x"), transformations={own: scale},
                    scale_factors=[2] if multiscale and factor == 1 else None,
                )  # fmt: skip
    joined = ad.concat(tables)
    joined.obs["region"] = pd.Categorical(joined.obs["region"])
    tied = TableModel.parse(
        joined, region=list(regions), region_key="region", instance_key="instance"
    )
    parts["table"] = tied
    spatialdata.SpatialData.init_from_elements(parts).write(path)
    return found


@pytest.mark.parametrize("kind", ["circles", "polygons", "points", "labels"])
@pytest.mark.parametrize("multiscale", [False, True])
def test_one_section(tmp_path: Path, kind: str, multiscale: bool) -> None:
    spots = write(tmp_path / "S.zarr", kind, system="um", multiscale=multiscale)["spots"]
    section = read(tmp_path)
    assert section.section_id == "S"
    assert section.barcodes == [f"spots-{name}" for name in spots.barcodes[::-1]]
    np.testing.assert_array_equal(section.adata.X.toarray(), spots.counts[::-1])
    np.testing.assert_allclose(
        section.pos_px, spots.pos[::-1], atol=1.01 if kind == "labels" else 1e-9
    )
    assert section.mpp == pytest.approx(2.0, rel=0.02)
    image = open_image(section.pixels)
    assert image.size == (WIDTH, HEIGHT)
    np.testing.assert_array_equal(image.read(0, 0, 0, WIDTH, HEIGHT), picture(WIDTH, HEIGHT, 0))
    assert len(image.downsamples) == 1 + multiscale


def test_each_region_is_a_section_on_its_own_image(tmp_path: Path) -> None:
    found = write(tmp_path / "S.zarr", regions=("left", "right"))
    reader = reader_of(tmp_path / "S.zarr", group_key="donor")
    assert {key.section_id: key.group for key in reader.section_keys()} == {
        "S_left": "P0",
        "S_right": "P1",
    }
    for seed, region in enumerate(("left", "right")):
        section = reader.read(f"S_{region}")
        np.testing.assert_array_equal(section.adata.X.toarray(), found[region].counts[::-1])
        pixels = open_image(section.pixels).read(0, 0, 0, WIDTH, HEIGHT)
        np.testing.assert_array_equal(pixels, picture(WIDTH, HEIGHT, seed))
    check_reader(reader)
    assert list(reader.genes("S_left").names) == found["left"].genes


def test_the_copy_is_made_once_and_anew_for_another_image(tmp_path: Path) -> None:
    write(tmp_path / "S.zarr")
    first = read(tmp_path).image
    made = first.stat().st_mtime_ns
    assert read(tmp_path).image == first
    assert first.stat().st_mtime_ns == made
    shutil.rmtree(tmp_path / "S.zarr")
    write(tmp_path / "S.zarr", regions=("spots", "other"))
    reader = reader_of(tmp_path)
    assert reader.read("S_other").image != first
    assert not list((tmp_path / "copies").glob(".*part*"))


def test_a_file_in_the_place_of_the_image(tmp_path: Path) -> None:
    spots = write(tmp_path / "S.zarr", image=False, system="px")["spots"]
    with pytest.raises(
        InputError, match=r"S: no full-resolution RGB image .*no image.*reader.images"
    ):
        read(tmp_path)
    image = str(write_image(tmp_path / "he.tif"))
    section = read(tmp_path, images=image)
    np.testing.assert_allclose(section.pos_px, spots.pos[::-1])
    assert not (tmp_path / "copies").exists()


def test_a_file_of_another_size(tmp_path: Path) -> None:
    write(tmp_path / "S.zarr")
    from builders import write_pyramid

    other = write_pyramid(tmp_path / "he.tif", [picture(300, 200)])
    with pytest.raises(InputError, match=r"300 x 200 px is not the image 'he_0'.* 400 x 320 px"):
        read(tmp_path, images=str(other))


def test_fluorescence_is_no_image(tmp_path: Path) -> None:
    write(tmp_path / "S.zarr", dtype=np.uint16)
    with pytest.raises(InputError, match="no full-resolution RGB image"):
        read(tmp_path)
    with pytest.raises(
        InputError, match=r"image 'he_0' .*: expected RGB of 8 bits, found .*uint16"
    ):
        read(tmp_path, image="he_0")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"image": "slide"}, r"no image 'slide' in .*found \['he_0', 'he_0_hires'\]"),
        ({"table": "cells"}, r"no table 'cells', found \['table'\]; set data.reader.table"),
        ({"pitch_um": None}, r"S: no pixel size: .*set data.reader.mpp"),
        ({"pitch_um": 100.0, "mpp": 0.5}, "at 0.5000 um/px .data.reader.mpp. neighbouring spots"),
        ({"layer": "raw_counts"}, "no layer 'raw_counts'"),
    ],
)
def test_what_does_not_fit(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    write(tmp_path / "S.zarr")
    with pytest.raises(InputError, match=f"(?s){message}"):
        read(tmp_path, **options)


def no_shapes(path: Path) -> None:
    shutil.rmtree(path / "shapes" / "spots")


def no_region(path: Path) -> None:
    shutil.rmtree(path / "tables" / "table" / "uns" / "spatialdata_attrs")


def torn(path: Path) -> None:
    for file in path.rglob("zarr.json"):
        file.write_text("{")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (no_shapes, r"cannot be read as SpatialData|annotates 'spots', which is not there"),
        (no_region, r"cannot be read as SpatialData|does not say which shapes"),
        (torn, r"cannot be read as SpatialData"),
    ],
)
def test_broken_objects(tmp_path: Path, change: Callable[[Path], None], message: str) -> None:
    write(tmp_path / "S.zarr")
    change(tmp_path / "S.zarr")
    with pytest.raises(InputError, match=message):
        read(tmp_path)


def test_layout(tmp_path: Path) -> None:
    (tmp_path / "S.zarr" / "tables").mkdir(parents=True)
    assert layout_of(tmp_path) == layout_of(tmp_path / "S.zarr") == "spatialdata"


def test_every_file_counts(tmp_path: Path) -> None:
    """Counts, places and image, and how they are read."""
    write(tmp_path / "S.zarr")
    reader = reader_of(tmp_path)
    origin = reader.made_from("S")
    assert origin.files[-1] == reader.read("S").pixels
    kinds = {path.relative_to(tmp_path / "S.zarr").parts[0] for path in origin.files[:-1]}
    assert kinds == {"tables", "shapes", "images"}
    assert origin.settings != reader_of(tmp_path, mpp=2.0).made_from("S").settings
    before = origin.identity()
    assert reader.made_from("S").identity() == before
    table = next(path for path in origin.files if "X" in path.parts)
    table.write_bytes(table.read_bytes())
    assert reader.made_from("S").identity() != before


def test_what_it_is_made_from_is_told_without_a_copy(tmp_path: Path) -> None:
    """It names the file that reading makes."""
    write(tmp_path / "S.zarr")
    reader = reader_of(tmp_path)
    origin = reader.made_from("S")
    assert not (tmp_path / "copies").exists()
    assert origin.files[-1] == reader.read("S").pixels


class Pixels(np.ndarray[Any, np.dtype[np.uint8]]):
    """An image element (c, y, x), as far as the reader asks it."""

    def transpose(self, *axes: Any) -> Any:
        """They are in this order already."""
        return self


def test_the_same_of_a_stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the package; what is made from an image that is not copied yet is not known."""
    for name in ("tables/table/X", "shapes/spots/places", "images/he/zarr.json", "images/he/0"):
        path = tmp_path / "S.zarr" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    table = ad.AnnData(np.ones((2, 1), dtype=np.float32))
    table.uns["spatialdata_attrs"] = {"region": "spots", "region_key": "region"}
    picture_of_it = np.zeros((3, HEIGHT, WIDTH), dtype=np.uint8).view(Pixels)
    content = SimpleNamespace(tables={"table": table}, images={"he": picture_of_it})
    monkeypatch.setattr(spatialdata_reader, "read_object", lambda _: content)
    reader = reader_of(tmp_path, image="he")
    sections = Sections(reader, store=SectionStore(tmp_path / "store"))
    origin = reader.made_from("S")
    assert not (tmp_path / "copies").exists() and sections.origins() is None
    image = reader._copied("S", reader.entry("S"), "he")
    assert origin.files[-1] == image and open_image(image).size == (WIDTH, HEIGHT)
    assert reader.made_from("S") == origin and sections.origins() is not None
    (tmp_path / "S.zarr" / "images" / "he" / "0").write_text("another image")
    assert reader.made_from("S").files[-1] != image


def test_predictions_go_back_into_the_object(train: Run, tmp_path: Path) -> None:
    """As tables that the package reads, which are no sections; nothing is written over."""
    spatialdata = pytest.importorskip("spatialdata")
    for name in ("S1", "S2", "S3"):
        write(tmp_path / "data" / f"{name}.zarr", regions=("spots", "other"))
    run = train(
        "data=spatialdata",
        f"data.reader.root={tmp_path / 'data'}",
        f"data.reader.copies={tmp_path / 'copies'}",
        "data.reader.pitch_um=100",
        "data.reader.group_key=donor",
        "data.min_counts=1",
        "data.detect_duplicates=false",
        "model=ridge",
        "encoder=random_vit",
    )
    tested = json.loads((run / "metrics.json").read_text())["split"]["test"]
    paths = write_back(run)
    assert len(paths) == len(tested)
    pairs = zip(paths, tested, strict=True)
    regions = {path.name: section_id.rsplit("_", 1)[1] for path, section_id in pairs}
    for path in paths:
        table = spatialdata.read_zarr(path.parents[1]).tables[path.name]
        assert table.uns["spatialdata_attrs"]["region"] == regions[path.name]
        assert path.name == f"predicted_ridge_{regions[path.name]}"
        assert np.isfinite(table.X).all() and "measured" in table.layers
    with pytest.raises(InputError, match="already; choose another name with --table"):
        write_back(run)
    again = write_back(run, table="again", root=tmp_path / "data")
    assert [path.parent for path in again] == [path.parent for path in paths]
    assert len(reader_of(tmp_path / "data").section_keys()) == 6
    with pytest.raises(InputError, match="no finished run of the model 'strict'"):
        write_back(run, "strict")
