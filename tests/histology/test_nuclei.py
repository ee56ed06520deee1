from dataclasses import replace

import numpy as np
import pytest

from hespotex.histology import DetectorSettings, detect_nuclei, label_nuclei

from .drawn import discs, grid_of_centres

CENTRES = grid_of_centres(5, 20.0)


@pytest.mark.parametrize("mpp", [0.25, 0.5, 1.0])
def test_finds_drawn_discs_at_their_places(mpp: float) -> None:
    nuclei = detect_nuclei(discs(CENTRES, 4.0, 100.0, mpp), mpp)
    assert len(nuclei) == len(CENTRES)
    # The middle of pixel 0 lies half a pixel from the border.
    found = (nuclei.centroids + 0.5) * mpp
    distance = np.linalg.norm(found[:, None] - np.array(CENTRES)[None], axis=2).min(axis=1)
    assert distance.max() < 0.7
    np.testing.assert_allclose(nuclei.area_um2, np.pi * 16, rtol=0.35)
    assert (nuclei.elongation < 1.3).all()
    assert (nuclei.haematoxylin > 0.4).all()


@pytest.mark.parametrize("mpp", [0.25, 0.5, 1.0])
@pytest.mark.parametrize("turn", [(8.0, 0.0), (0.0, 8.0), (5.7, 5.7)])
def test_splits_two_touching_discs(mpp: float, turn: tuple[float, float]) -> None:
    pair = [(30.0, 30.0), (30.0 + turn[0], 30.0 + turn[1])]
    nuclei = detect_nuclei(discs(pair, 4.2, 70.0, mpp), mpp)
    assert len(nuclei) == 2


@pytest.mark.parametrize("grey", [0, 120, 255])
def test_a_flat_image_has_no_nuclei(grey: int) -> None:
    flat = np.full((100, 120, 3), grey, np.uint8)
    assert len(detect_nuclei(flat, 0.5)) == 0
    labels = label_nuclei(flat, 0.25)
    assert labels.shape == (100, 120)
    assert labels.dtype == np.int32
    assert not labels.any()


@pytest.mark.parametrize("mpp", [0.3, 0.5, 1.1])
def test_labels_are_numbered_as_the_rows(mpp: float) -> None:
    image = discs(CENTRES, 4.0, 100.0, mpp)
    labels = label_nuclei(image, mpp)
    nuclei = detect_nuclei(image, mpp)
    assert labels.shape == image.shape[:2]
    assert set(np.unique(labels)) == set(range(len(nuclei) + 1))
    x, y = np.rint(nuclei.centroids).astype(int).T
    np.testing.assert_array_equal(labels[y, x], np.arange(len(nuclei)) + 1)


def test_sizes_are_limited() -> None:
    image = discs([(20.0, 20.0), (60.0, 60.0)], 4.0, 80.0, 0.5)
    assert len(detect_nuclei(image, 0.5, replace(DetectorSettings(), min_area_um2=90.0))) == 0
    assert len(detect_nuclei(image, 0.5, replace(DetectorSettings(), max_area_um2=20.0))) == 0


def test_an_ellipse_is_as_long_as_drawn() -> None:
    image = discs([(20.0, 20.0)], 4.0, 40.0, 0.5)
    stretched = np.repeat(image, 2, axis=1)
    nuclei = detect_nuclei(stretched, 0.5, replace(DetectorSettings(), seed_um=3.0))
    assert len(nuclei) == 1
    assert nuclei.elongation[0] == pytest.approx(2.0, abs=0.25)


def test_is_deterministic_and_wants_a_pixel_size(noise: np.ndarray) -> None:
    first = detect_nuclei(noise, 0.5)
    second = detect_nuclei(noise, 0.5)
    np.testing.assert_array_equal(first.centroids, second.centroids)
    with pytest.raises(ValueError, match="mpp > 0"):
        detect_nuclei(noise, 0.0)
