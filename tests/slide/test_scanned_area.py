"""Leica SCN, whose scanned area is part of a canvas: what goes to QuPath and comes from it counts
from that area's corner.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from builders import section

from hespotex.nuclei.geojson import QupathNuclei
from hespotex.results.slide.qupath import write_tissue
from hespotex.sections.images import open_image
from hespotex.sections.tissue import slide_tissue

# px; nm a px
CANVAS = (1200, 1000)
CORNER = (400, 300)
SIDE = 600
UNIT = 1000
OBJECTIVE = "<objectiveSettings><objective>{}</objective></objectiveSettings>"
SETTINGS = (
    f"<scanSettings>{OBJECTIVE}<illuminationSettings><numericalAperture>0.4</numericalAperture>"
    "<illuminationSource>brightfield</illuminationSource></illuminationSettings></scanSettings>"
)


def image(
    name: str,
    px: tuple[int, int],
    view: tuple[int, int],
    at: tuple[int, int],
    page: int,
    power: float,
) -> str:
    return (
        f'<image name="{name}"><creationDate>2020-01-01T00:00:00Z</creationDate><device model="m"'
        f' version="1"/><pixels sizeX="{px[0]}" sizeY="{px[1]}"><dimension sizeX="{px[0]}"'
        f' sizeY="{px[1]}" r="0" ifd="{page}"/></pixels><view sizeX="{view[0] * UNIT}"'
        f' sizeY="{view[1] * UNIT}" offsetX="{at[0] * UNIT}"'
        f' offsetY="{at[1] * UNIT}"/>{SETTINGS.format(power)}</image>'
    )


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    size = f'sizeX="{CANVAS[0] * UNIT}" sizeY="{CANVAS[1] * UNIT}"'
    words = (
        '<?xml version="1.0"?><scn xmlns="http://www.leica-microsystems.com/scn/2010/10/01">'
        f'<collection name="c" {size}><barcode>none</barcode>'
        f"{image('macro', (120, 100), CANVAS, (0, 0), 0, 0.6)}"
        f"{image('main', (SIDE, SIDE), (SIDE, SIDE), CORNER, 1, 10)}"
        "</collection></scn>"
    )
    pixels = np.full((SIDE, SIDE, 3), 240, np.uint8)
    options: dict[str, Any] = {
        "tile": (256, 256),
        "photometric": "rgb",
        "compression": "deflate",
        "metadata": None,
    }
    with tifffile.TiffWriter(tmp_path / "S1.scn", bigtiff=True) as file:
        file.write(np.full((100, 120, 3), 240, np.uint8), description=words, **options)
        file.write(pixels, resolution=(1e4, 1e4), resolutionunit="CENTIMETER", **options)
    return tmp_path / "S1.scn"


def outline(path: Path, left: int, top: int, side: int) -> Path:
    ring = [
        [left, top],
        [left + side, top],
        [left + side, top + side],
        [left, top + side],
        [left, top],
    ]
    path.write_text(
        json.dumps([{"type": "Feature", "geometry": {"type": "Polygon", "coordinates": [ring]}}])
    )
    return path


def test_the_scanner_tells_its_area(scan: Path) -> None:
    opened = open_image(scan)
    assert (opened.size, opened.origin, opened.scanned) == (
        CANVAS,
        CORNER,
        (SIDE, SIDE),
    ) and opened.mpp == pytest.approx(1)


@pytest.mark.parametrize(("left", "top", "side"), [(0, 0, 200), (100, 200, 300), (500, 500, 100)])
def test_an_outline_comes_back_as_it_was_drawn(
    scan: Path, tmp_path: Path, left: int, top: int, side: int
) -> None:
    tissue = slide_tissue(scan, 1.0, mask=str(outline(tmp_path / "S1.geojson", left, top, side)))
    rows, columns = np.nonzero(tissue.mask)
    assert columns.min() == pytest.approx(CORNER[0] + left, abs=1) and rows.min() == pytest.approx(
        CORNER[1] + top, abs=1
    )
    write_tissue(tissue, tmp_path / "out.geojson", open_image(scan).origin)
    (piece,) = json.loads((tmp_path / "out.geojson").read_text())["features"][0]["geometry"][
        "coordinates"
    ]
    corners = np.array(piece[0])
    assert (
        np.abs(corners.min(axis=0) - [left, top]).max() <= 1
        and np.abs(corners.max(axis=0) - left - side)[0] <= 1
    )


def test_nuclei_count_from_there_too(scan: Path, tmp_path: Path) -> None:
    outline(tmp_path / "S1.geojson", 100, 200, 10)
    table = QupathNuclei(str(tmp_path)).read(tmp_path / "S1.geojson", section(image=scan))
    np.testing.assert_allclose(table.centroids, [[CORNER[0] + 105, CORNER[1] + 205]])
