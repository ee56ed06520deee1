"""The same nuclei through every format: same places, areas, classes and counts."""

from pathlib import Path

import numpy as np
import pytest
from builders import section
from numpy.typing import NDArray
from PIL import Image

from hespotex.nuclei import NucleiPerSpot, NucleiSource, NucleiTable
from hespotex.nuclei.cellvit import CellvitNuclei
from hespotex.nuclei.centroids import CentroidNuclei
from hespotex.nuclei.geojson import Feature, QupathNuclei, features_table
from hespotex.nuclei.masks import LabelMaskNuclei, measure_labels
from hespotex.sections.section import Section

from .formats import WRITERS, Known, known_nuclei, label_mask

MPP = 0.5
SOURCES = {
    "cellvit": CellvitNuclei,
    "qupath": QupathNuclei,
    "mask": LabelMaskNuclei,
    "csv": CentroidNuclei,
}


@pytest.fixture(scope="module")
def known() -> Known:
    return known_nuclei()


@pytest.fixture
def spots(tmp_path: Path, known: Known) -> Section:
    """Spots that no nucleus has exactly on the border of its square."""
    Image.fromarray(np.zeros((*known.size[::-1], 3), dtype=np.uint8)).save(tmp_path / "image.png")
    pos = np.random.default_rng(2).uniform(20, 320, (40, 2))
    return section(image=tmp_path / "image.png", pos=pos, mpp=MPP)


def source(name: str, folder: Path, known: Known) -> NucleiSource:
    """A source that reads `known` from a file."""
    folder.mkdir(exist_ok=True)
    WRITERS[name](known, folder, "S1")
    return SOURCES[name.split()[0]](str(folder))


def in_order(table: NucleiTable) -> NucleiTable:
    order = np.lexsort(table.centroids.T)
    return NucleiTable(table.centroids[order], table.area_um2[order], table.kind[order])


@pytest.mark.parametrize("name", WRITERS)
def test_places_areas_and_classes(name: str, spots: Section, known: Known, tmp_path: Path) -> None:
    table = in_order(source(name, tmp_path / "n", known).nuclei(spots))
    order = np.lexsort(known.centroids.T)
    np.testing.assert_allclose(table.centroids, known.centroids[order], atol=1e-9)
    scale = 1.0 if name == "csv" else MPP**2  # the table holds um2 already
    np.testing.assert_allclose(table.area_um2, known.area_px[order] * scale)
    expected = np.full(len(order), "") if name.startswith("mask") else known.kind[order]
    np.testing.assert_array_equal(table.kind, expected)


@pytest.mark.parametrize("shape", ["square", "circle"])
def test_same_counts(shape: str, spots: Section, known: Known, tmp_path: Path) -> None:
    counts = {}
    for number, name in enumerate(WRITERS):
        counter = NucleiPerSpot(
            source(name, tmp_path / str(number), known), count_um=30.0, shape=shape
        )
        counts[name] = counter(spots)
    gap = known.centroids[None] - spots.pos_px[:, None]
    distance = np.abs(gap).max(axis=2) if shape == "square" else np.linalg.norm(gap, axis=2)
    expected = (distance < 30.0 / 2 / MPP).sum(axis=1)
    assert expected.min() > 0 and len(set(expected)) > 3
    for name, found in counts.items():
        np.testing.assert_array_equal(found, expected, name)


@pytest.mark.parametrize("rows", [1, 3, 17, 330])
@pytest.mark.parametrize("columns", [5, 48, 340])
def test_nuclei_cut_by_blocks_are_one(rows: int, columns: int, known: Known) -> None:
    mask = label_mask(known)
    corners = [(x, y) for y in range(0, 330, rows) for x in range(0, 340, columns)]
    whole = measure_labels([(mask, 0, 0)], MPP)
    cut = measure_labels(((mask[y : y + rows, x : x + columns], x, y) for x, y in corners), MPP)
    np.testing.assert_allclose(cut.centroids, whole.centroids, atol=1e-9)
    np.testing.assert_allclose(cut.area_um2, whole.area_um2)
    assert len(cut) == len(known.box)


def points(coordinates: NDArray[np.float64] | list[list[float]], kind: object) -> Feature:
    return {
        "geometry": {"type": "MultiPoint", "coordinates": coordinates},
        "properties": {"classification": kind},
    }


def test_other_shapes_of_qupath() -> None:
    """Points, holes, nuclei in two pieces, classes of several words, objects without class or
    shape.
    """
    square: list[list[int]] = [[0, 0], [4, 0], [4, 4], [0, 4], [0, 0]]
    hole = [[1, 1], [1, 3], [3, 3], [3, 1], [1, 1]]
    far = [[[10 + x, y] for x, y in square]]
    features: list[Feature] = [
        points([[1.5, 2.5], [3, 4]], {"names": ["Tumor", "Positive"]}),
        {
            "geometry": {"type": "Polygon", "coordinates": [square, hole]},
            "properties": {"classification": "Stroma"},
        },
        {"geometry": {"type": "MultiPolygon", "coordinates": [[square], far]}, "properties": None},
        {"geometry": None, "properties": {}},
    ]
    table = features_table(features, ("MultiPoint",), 2.0, Path("a.geojson"))
    np.testing.assert_allclose(
        table.centroids, np.array([[1.5, 2.5], [3.0, 4.0], [2.0, 2.0], [7.0, 2.0]])
    )
    assert np.isnan(table.area_um2).tolist() == [True, True, False, False]
    assert table.area_um2[2:].tolist() == [12 * 4, 32 * 4]
    assert table.kind.tolist() == ["Tumor: Positive", "Tumor: Positive", "Stroma", ""]


def test_identity_is_the_content(spots: Section, known: Known, tmp_path: Path) -> None:
    first, same = (source("csv", tmp_path / name, known) for name in "ab")
    other = source("csv", tmp_path / "c", known_nuclei(seed=1))
    assert first.identity(spots) == same.identity(spots) != other.identity(spots)
