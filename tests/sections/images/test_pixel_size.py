"""What a file says of its pixel size, in each of the ways that files have."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from hespotex.common.errors import InputError
from hespotex.sections.images import open_image
from hespotex.sections.readers.slide import pixel_size

BLANK = np.zeros((64, 80, 3), np.uint8)


def ome(x: float, unit: str, y: float | None = None) -> dict[str, Any]:
    facts = {"axes": "YXS", "PhysicalSizeX": x, "PhysicalSizeXUnit": unit}
    facts |= {"PhysicalSizeY": x if y is None else y, "PhysicalSizeYUnit": unit}
    return {"metadata": facts, "ome": True}


def imagej(per_unit: float, unit: str) -> dict[str, Any]:
    return {"imagej": True, "resolution": (per_unit, per_unit), "metadata": {"unit": unit}}


def aperio(words: str) -> dict[str, Any]:
    return {
        "description": f"Aperio Image Library v11.2.1\r\n80x64|AppMag = 20|{words}",
        "metadata": None,
    }


def tags(x: float, y: float, unit: str = "CENTIMETER") -> dict[str, Any]:
    return {"resolution": (x, y), "resolutionunit": unit, "metadata": None}


def written(folder: Path, options: dict[str, Any]) -> Path:
    path = folder / "a.tif"
    tifffile.imwrite(path, BLANK, photometric="rgb", **options)
    return path


@pytest.mark.parametrize(
    ("options", "mpp"),
    [
        (ome(0.5, "µm"), 0.5),
        (ome(500, "nm"), 0.5),
        (ome(0.00025, "mm"), 0.25),
        (ome(0.00005, "cm"), 0.5),
        (imagej(2, "micron"), 0.5),
        (imagej(4, "\\u00B5m"), 0.25),
        (imagej(2000, "mm"), 0.5),
        (imagej(2, "um"), 0.5),
        (aperio("MPP = 0.4990"), 0.499),
        (aperio("MPP = 0,4990|Left = 3"), 0.499),
        (aperio("MPP=0.25"), 0.25),
        (aperio("MPP = 0.4990") | tags(72, 72, "INCH"), 0.499),
        (tags(20_000, 20_000), 0.5),
        (tags(20_000, 20_100), 0.5),
    ],
    ids=str,
)
def test_is_read(tmp_path: Path, options: dict[str, Any], mpp: float) -> None:
    assert open_image(written(tmp_path, options)).mpp == pytest.approx(mpp, rel=1e-5)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (ome(0.0, "µm"), "its OME-XML PhysicalSizeX says 0 um/px"),
        (ome(5000, "µm"), "its OME-XML PhysicalSizeX says 5000 um/px"),
        (ome(1, "pixel"), "its OME-XML PhysicalSizeX says no number"),
        (aperio("MPP = unknown"), r"its description \(MPP\) says no number"),
        (tags(72, 72, "INCH"), "its resolution tag says 352.8 um/px"),
        (
            aperio("MPP = 0.25") | tags(20_000, 20_000),
            r"it tells several: 0.25 um/px \(description.*0.5 um/px \(resolution",
        ),
    ],
    ids=str,
)
def test_of_no_use_is_told(tmp_path: Path, options: dict[str, Any], words: str) -> None:
    path = written(tmp_path, options)
    assert open_image(path).mpp is None
    with pytest.raises(InputError, match=f"no believable pixel size .{words}.*set mpp="):
        pixel_size(path, None)
    assert pixel_size(path, 0.5) == (0.5, "mpp=")


@pytest.mark.parametrize(
    "options",
    [
        ome(0.5, "µm", 0.25),
        tags(20_000, 40_000),
        tags(10_000, 20_000),
        tags(50_800, 25_400, "INCH"),
    ],
    ids=str,
)
def test_px_that_are_not_square_are_refused(tmp_path: Path, options: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=r"its px are not square.*resample"):
        open_image(written(tmp_path, options))


@pytest.mark.parametrize("mpp", [0, -0.5, 1e6, float("nan"), float("inf")])
def test_a_given_one_must_be_possible(tmp_path: Path, mpp: float) -> None:
    with pytest.raises(InputError, match=r"cannot be; expected a number such as mpp=0.5"):
        pixel_size(written(tmp_path, tags(20_000, 20_000)), mpp)
