"""Nuclei per spot."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from hespotex.data.nuclei import HaematoxylinCounter, LabelMaskCounter
from hespotex.errors import InputError

from .builders import section


def test_counts_centres_inside_the_square(tmp_path: Path) -> None:
    """Nuclei drawn on a lattice: each spot counts those whose centre lies within its 56 um."""
    pixels = np.full((1000, 1000, 3), (235, 205, 225), dtype=np.uint8)
    centres = [(x, y) for x in range(50, 1000, 60) for y in range(50, 1000, 60)]
    for centre in centres:
        cv2.circle(pixels, centre, 8, (80, 50, 140), -1, cv2.LINE_AA)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    spots = section(image=tmp_path / "a.png", pos=np.array([[350.0, 350.0], [500.0, 620.0]]), mpp=0.5)
    low, high = spots.pos_px - 56, spots.pos_px + 56
    expected = [sum(bool(np.all((a <= c) & (c < b))) for c in np.array(centres)) for a, b in zip(low, high, strict=True)]
    assert HaematoxylinCounter(count_um=56.0)(spots).tolist() == expected


def test_masks_that_do_not_fit(tmp_path: Path) -> None:
    spots = section(image=None)
    with pytest.raises(InputError, match=r"nuclei mask not found: .*S1.npy; set nuclei.counter.folder"):
        LabelMaskCounter(str(tmp_path)).identity(spots)
    np.save(tmp_path / "S1.npy", np.zeros((5, 5)))
    with pytest.raises(InputError, match=r"S1.npy: expected a 2-D integer label mask, found float64 \(5, 5\)"):
        LabelMaskCounter(str(tmp_path))(spots)
