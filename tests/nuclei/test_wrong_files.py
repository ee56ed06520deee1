"""Files that are missing, broken, or of another image: words, and no counts."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tifffile
from builders import section
from PIL import Image

from hespotex.common.errors import InputError
from hespotex.nuclei.cellvit import CellvitNuclei
from hespotex.nuclei.centroids import CentroidNuclei
from hespotex.nuclei.files import FileNuclei
from hespotex.nuclei.geojson import QupathNuclei
from hespotex.nuclei.masks import LabelMaskNuclei
from hespotex.nuclei.published import PublishedMaskCounter
from hespotex.sections.section import Section


@pytest.fixture
def spots(tmp_path: Path) -> Section:
    Image.fromarray(np.zeros((400, 500, 3), dtype=np.uint8)).save(tmp_path / "image.png")
    return section(image=tmp_path / "image.png")  # 25 spots at 50..290 px, 60 px = 120 um apart


MISSING = {
    CellvitNuclei: r"S1_cellvit_seg.parquet or S1_cellvit_seg.geojson.zip",
    QupathNuclei: "S1.geojson or",
    LabelMaskNuclei: "S1.npy or S1_mask.tif",
    CentroidNuclei: "S1.csv or",
}


@pytest.mark.parametrize("kind", MISSING)
def test_missing(kind: type[FileNuclei], spots: Section, tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=rf"S1: nuclei not found: expected {tmp_path}/{MISSING[kind]}"
    ) as error:
        kind(str(tmp_path)).identity(spots)
    assert "nuclei.counter.source.folder" in str(error.value) and "nuclei=haematoxylin" in str(
        error.value
    )
    with pytest.raises(InputError, match="there is no such folder"):
        kind(str(tmp_path / "nowhere")).nuclei(spots)


def csv(**columns: object) -> Callable[[Path], None]:
    return lambda folder: pd.DataFrame(columns).to_csv(folder / "S1.csv", index=False)


def written(name: str, content: bytes) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_bytes(content)


def feature(**geometry: object) -> Callable[[Path], object]:
    return written("S1.geojson", json.dumps([{"type": "Feature", "geometry": geometry}]).encode())


def parquet(**columns: object) -> Callable[[Path], None]:
    return lambda folder: pq.write_table(pa.table(columns), folder / "S1.parquet")


BROKEN: dict[str, tuple[type[FileNuclei], Callable[[Path], object], str]] = {
    "no columns": (
        CentroidNuclei,
        csv(left=[1], top=[2]),
        r"expected columns x, y.* found \['left', 'top'\]",
    ),
    "words": (
        CentroidNuclei,
        csv(x=[1, 2, "?"], y=[2, 3, 4]),
        r"line 4, column x: expected a number \(px\), found '\?'",
    ),
    "empty table": (CentroidNuclei, csv(x=[], y=[]), "a header and no rows"),
    "no table": (CentroidNuclei, written("S1.csv", b""), "the file is empty"),
    "no json": (QupathNuclei, written("S1.geojson", b"{"), "cannot be read as GeoJSON"),
    "other json": (
        QupathNuclei,
        written("S1.geojson", b"[1]"),
        "expected a GeoJSON FeatureCollection",
    ),
    "coordinates that are none": (
        QupathNuclei,
        written(
            "S1.geojson",
            b'[{"type": "Feature", "geometry": {"type": "Polygon", "coordinates": [[[1, 1], [NaN,'
            b" 2], [2, 3], [1, 1]]]}}]",
        ),
        "1 outlines have no centre, the first is number 0|whose place is no number",
    ),
    "no zip": (QupathNuclei, written("S1.zip", b"PK"), "cannot be read as GeoJSON"),
    "no gzip": (QupathNuclei, written("S1.geojson.gz", b"PK"), "cannot be read as GeoJSON"),
    "no shape": (
        QupathNuclei,
        feature(type="Blob", coordinates=[]),
        "feature 0 has no geometry that can be read",
    ),
    "two points": (
        QupathNuclei,
        feature(type="Polygon", coordinates=[[[0, 0], [1, 1]]]),
        "feature 0 has no geometry",
    ),
    "no parquet": (
        CellvitNuclei,
        written("S1.parquet", b"PAR1"),
        "cannot be read as outlines in Parquet",
    ),
    "no geometry": (CellvitNuclei, parquet(x=[1.0]), r"expected columns geometry .* found \['x'\]"),
    "no WKB": (CellvitNuclei, parquet(geometry=[b"abc"]), "cannot be read as outlines in Parquet"),
    "floats": (
        LabelMaskNuclei,
        lambda f: np.save(f / "S1.npy", np.zeros((400, 500))),
        "2-D integer label mask, found float64",
    ),
    "no array": (LabelMaskNuclei, written("S1.npy", b"abc"), "cannot be read as a NumPy array"),
    "no tiff": (LabelMaskNuclei, written("S1.tif", b"abc"), "cannot be read as a mask"),
    "the image": (
        LabelMaskNuclei,
        lambda f: tifffile.imwrite(
            f / "S1.tif", np.zeros((400, 500, 3), dtype=np.uint8), photometric="rgb"
        ),
        r"2-D integer label mask, found uint8 \(400, 500, 3\)",
    ),
    "other size": (
        LabelMaskNuclei,
        lambda f: np.save(f / "S1.npy", np.zeros((200, 250), dtype=np.int32)),
        r"the mask has 250 x 200 px, the image of S1 500 x 400",
    ),
    "binary": (
        LabelMaskNuclei,
        lambda f: np.save(f / "S1.npy", np.eye(400, 500, dtype=np.uint8)),
        "expected a number for each nucleus",
    ),
    "outside": (
        CentroidNuclei,
        csv(x=np.arange(100) * 40.0, y=np.arange(100) * 1.0),
        (
            r"87 of 100 nuclei lie outside the image of 500 x 400 px; nuclei span x 0..3960, y"
            r" 0..99, spots x 50..290"
        ),
    ),
    "elsewhere": (
        CentroidNuclei,
        csv(x=[480.0, 490], y=[390.0, 391]),
        "none of 2 nuclei is near any of 25 spots",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken(case: str, spots: Section, tmp_path: Path) -> None:
    kind, write, words = BROKEN[case]
    write(tmp_path)
    with pytest.raises(InputError, match=words) as error:
        kind(str(tmp_path)).nuclei(spots)
    assert "S1" in str(error.value)


CELLPOSE = {"masks": np.ones((400, 500), np.uint16), "flows": []}


@pytest.mark.parametrize("name", ["S1.npy", "S1_seg.npy"])
def test_the_pickle_of_cellpose_is_named(name: str, spots: Section, tmp_path: Path) -> None:
    """Under its own name it is found beside what is wanted; renamed it is told how its masks are
    saved.
    """
    np.save(tmp_path / name, CELLPOSE)  # type: ignore[arg-type]
    words = (
        "np.save.*masks" if name == "S1.npy" else "there is S1_seg.npy .*save its masks as S1.npy"
    )
    with pytest.raises(InputError, match=words):
        LabelMaskNuclei(str(tmp_path)).nuclei(spots)


@pytest.mark.parametrize("name", ["S1_cp_masks.png", "S1_cp_masks.tif", "S1.png"])
def test_the_masks_of_cellpose(name: str, spots: Section, tmp_path: Path) -> None:
    labels = np.zeros((400, 500), np.uint16)
    labels[60:70, 60:70] = 300
    labels[160:170, 160:180] = 301
    (
        tifffile.imwrite(tmp_path / name, labels)
        if name.endswith("tif")
        else Image.fromarray(labels).save(tmp_path / name)
    )
    np.testing.assert_array_equal(
        LabelMaskNuclei(str(tmp_path)).nuclei(spots).centroids, [[65, 65], [170, 165]]
    )


def test_nuclei_in_a_corner_are_warned_of(
    spots: Section, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Such as positions in um, or of an image of half the size."""
    csv(x=[25.0, 60.0, 90.0], y=[25.0, 60.0, 90.0])(tmp_path)
    assert len(CentroidNuclei(str(tmp_path)).nuclei(spots)) == 3
    assert "only 4 of 25 spots have a nucleus within 120 um" in caplog.text


def test_published_masks_that_do_not_fit(tmp_path: Path) -> None:
    spots = section(image=None)
    counter = PublishedMaskCounter(str(tmp_path))
    with pytest.raises(
        InputError, match=r"nuclei not found: expected .*S1.npy; set nuclei.counter.folder"
    ):
        counter.identity(spots)
    np.save(tmp_path / "S1.npy", np.zeros((5, 5)))
    with pytest.raises(
        InputError, match=r"S1.npy: expected a 2-D integer label mask, found float64 \(5, 5\)"
    ):
        counter(spots)


def test_the_published_count_takes_the_background_and_cut_nuclei(tmp_path: Path) -> None:
    mask = np.zeros((400, 500), dtype=np.int32)
    # the patch of the first spot spans 37..63 px: one cut, one outside
    mask[40:45, 60:70], mask[55:58, 30:34] = 7, 9
    np.save(tmp_path / "S1.npy", mask)
    assert PublishedMaskCounter(str(tmp_path))(section()).tolist() == [2.0] + [1.0] * 24
