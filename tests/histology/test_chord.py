"""Chords of dark nuclei: a ruler in px."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from hespotex.histology.chord import nuclear_chord, runs

DARK = (90, 60, 140)
PALE = (235, 190, 215)


def tissue(diameter: int, seed: int = 0, side: int = 400, share: float = 0.15) -> NDArray[np.uint8]:
    """Discs on a pale ground, about the share of which they cover."""
    image = np.full((side, side, 3), PALE, dtype=np.uint8)
    rng = np.random.default_rng(seed)
    for x, y in rng.integers(0, side, (int(share * side**2 / (0.78 * diameter**2)), 2)).tolist():
        cv2.circle(image, (x, y), diameter // 2, DARK, -1)
    noise = rng.normal(0, 6, image.shape)
    return np.clip(image + noise, 0, 255).astype(np.uint8)


def test_runs_of_a_row() -> None:
    mask = np.array([[1, 1, 0, 1], [0, 0, 0, 0], [0, 1, 1, 1]], dtype=bool)
    assert runs(mask).tolist() == [2, 1, 3]


@pytest.mark.parametrize("diameter", [8, 14, 24, 40])
def test_of_discs(diameter: int) -> None:
    """Somewhat below the diameter, weighted by length; discs that touch make it longer."""
    found = nuclear_chord([tissue(diameter, seed) for seed in range(3)])
    assert 0.75 * diameter < found < 1.35 * diameter


def test_twice_as_many_px_are_twice_the_length() -> None:
    tiles = [tissue(12, seed) for seed in range(3)]
    large = [cv2.resize(tile, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC) for tile in tiles]
    assert nuclear_chord(large) / nuclear_chord(tiles) == pytest.approx(2, rel=0.15)


@pytest.mark.parametrize("share", [0.05, 0.3])
def test_few_and_many_nuclei_are_of_one_size(share: float) -> None:
    usual = nuclear_chord([tissue(14, share=0.15)])
    assert nuclear_chord([tissue(14, share=share)]) == pytest.approx(usual, rel=0.4)


def test_glass_and_nothing_have_none() -> None:
    assert np.isnan(nuclear_chord([np.full((50, 50, 3), 255, dtype=np.uint8)]))
    assert np.isnan(nuclear_chord([]))
