"""The embedded detector around spots of an image and of stored patches."""

from pathlib import Path

import cv2
import h5py
import numpy as np
import pytest
from builders import section
from numpy.typing import NDArray
from PIL import Image

from hespotex.common.errors import InputError
from hespotex.nuclei import NucleiPerSpot
from hespotex.nuclei.haematoxylin import HaematoxylinNuclei

CENTRES = [(x, y) for x in range(30, 1000, 60) for y in range(30, 1000, 60)]
MPP = 0.5
# squares of 112 um overlap, and cut no disc
POS = np.array([[295.0, 303.0], [415.0, 358.0], [415.0, 480.0], [660.0, 594.0]])


def lattice() -> NDArray[np.uint8]:
    """Discs of 8 um on a lattice of 30 um."""
    pixels = np.full((1000, 1000, 3), (235, 205, 225), dtype=np.uint8)
    for centre in CENTRES:
        cv2.circle(pixels, centre, 8, (80, 50, 140), -1, cv2.LINE_AA)
    return pixels


def write_stored(path: Path) -> Path:
    """HEST patches of 112 um around `POS`, in reverse order."""
    corners = (POS - 112).astype(np.int64)[::-1]
    with h5py.File(path, "w") as file:
        file["img"] = np.stack([lattice()[y : y + 224, x : x + 224] for x, y in corners])
        file["barcode"] = np.array([[f"b{i:03d}".encode()] for i in reversed(range(len(POS)))])
    return path


@pytest.fixture
def image(tmp_path: Path) -> Path:
    Image.fromarray(lattice()).save(tmp_path / "a.png")
    return tmp_path / "a.png"


def within(pos: NDArray[np.float64], half_px: float) -> NDArray[np.int64]:
    """Drawn nuclei per square."""
    gap = np.abs(np.array(CENTRES)[None] - pos[:, None]).max(axis=2)
    return np.asarray((gap < half_px).sum(axis=1))


@pytest.mark.parametrize("workers", [1, 3])
def test_counts_centres_inside_the_square(image: Path, workers: int) -> None:
    pos = np.array([[352.0, 349.0], [500.0, 620.0], [3.0, 3.0], [999.0, 500.0]])
    source = HaematoxylinNuclei(56.0, workers=workers)
    counter = NucleiPerSpot(source, count_um=56.0)
    spots = section(image=image, pos=pos, mpp=MPP)
    assert counter(spots).tolist() == within(pos, 56).tolist()
    table = source.nuclei(spots)
    distance = np.linalg.norm(table.centroids[:, None] - (np.array(CENTRES) + 0.5), axis=2).min(
        axis=1
    )
    assert distance.max() < 1.0  # px
    # the smoothing widens sharp discs
    np.testing.assert_allclose(table.area_um2, np.pi * 4**2, rtol=0.65)
    assert set(table.kind) == {""}
    assert len(table) == len(np.unique(table.centroids.round(), axis=0)) == within(pos, 56).sum()


def test_nuclei_of_overlapping_squares_are_found_once(image: Path) -> None:
    pos = np.array([[400.0, 400.0], [445.0, 433.0], [410.0, 470.0]])
    table = HaematoxylinNuclei(100.0).nuclei(section(image=image, pos=pos, mpp=MPP))
    gap = np.abs(np.array(CENTRES)[None] - pos[:, None]).max(axis=2)
    assert len(table) == (gap < 100).any(axis=0).sum()


def test_other_areas_and_settings_have_another_identity(image: Path) -> None:
    spots = section(image=image, mpp=MPP)
    assert HaematoxylinNuclei(56.0).identity(spots) == HaematoxylinNuclei(
        56.0, workers=7, tile_px=64
    ).identity(spots)
    assert HaematoxylinNuclei(56.0).identity(spots) != HaematoxylinNuclei(57.0).identity(spots)


def test_spots_outside_the_image(image: Path) -> None:
    with pytest.raises(InputError, match="1 of 1 spots lie outside the image of 1000 x 1000 px"):
        HaematoxylinNuclei(56.0).nuclei(
            section(image=image, pos=np.array([[1200.0, 10.0]]), mpp=MPP)
        )


def test_white_glass_has_no_nuclei(tmp_path: Path) -> None:
    Image.fromarray(np.full((400, 400, 3), 244, dtype=np.uint8)).save(tmp_path / "w.png")
    assert (
        NucleiPerSpot(HaematoxylinNuclei(112.0))(section(image=tmp_path / "w.png")).tolist()
        == [0.0] * 25
    )


def test_stored_patches_that_overlap(image: Path, tmp_path: Path) -> None:
    """Counts and places as in the image that the patches were cut from."""
    path = write_stored(tmp_path / "p.h5")
    stored = section(patches=path, pos=POS, mpp=MPP)
    whole = section(image=image, pos=POS, mpp=MPP)
    counter = NucleiPerSpot(HaematoxylinNuclei(112.0))
    assert counter(stored).tolist() == counter(whole).tolist() == within(POS, 112).tolist()
    found, expected = (counter.source.nuclei(spots).centroids for spots in (stored, whole))
    assert len(found) == len(expected)
    assert np.linalg.norm(found[:, None] - expected, axis=2).min(axis=1).max() < 1.0
    with pytest.raises(InputError, match=r"nuclei.counter.count_um=112"):
        NucleiPerSpot(HaematoxylinNuclei(150.0), 150.0)(stored)
