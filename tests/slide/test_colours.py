"""The colours of the page are told apart with any kind of colour blindness."""

import re
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from hespotex.results.slide import viewer

Array = NDArray[np.float64]
# how linear RGB is seen without one kind of cone: Machado, Oliveira and Fernandes 2009, severity 1
SEEN_BY = {
    "all cones": np.eye(3),
    "protanopia": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "deuteranopia": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
    "tritanopia": np.array(
        [
            [1.255528, -0.076749, -0.178779],
            [-0.078411, 0.930809, 0.147602],
            [0.004733, 0.691367, 0.303900],
        ]
    ),
}
TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
WHITE = TO_XYZ.sum(axis=1)
TOLD_APART = 20.0  # in CIELAB; 2 is the least that is seen side by side
RED_GREEN_BLUE = [[255, 0, 0], [0, 255, 0], [0, 0, 255]]


def lab(rgb: Array, cones: Array) -> Array:
    """CIELAB of colours (n, 3) of 0 to 255, as they are seen."""
    share = rgb / 255
    light = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    xyz = np.clip(light @ cones.T, 0, 1) @ TO_XYZ.T / WHITE
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.stack(
        [116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], axis=1
    )


def least_distance(colours: list[list[int]], cones: Array) -> float:
    """Between any two of the colours and of what they add up to."""
    parts = np.array(colours, dtype=float)
    mixes = [
        parts[list(some)].sum(axis=0)
        for n in range(1, len(parts) + 1)
        for some in combinations(range(len(parts)), n)
    ]
    seen = lab(np.array(mixes), cones)
    return min(float(np.linalg.norm(a - b)) for a, b in combinations(seen, 2))


def mixed() -> dict[int, list[list[int]]]:
    """The colours of overlays, as the script of the page has them."""
    script = (Path(viewer.__file__).parent / "overlay.js").read_text()
    found = re.search(r"const MIXED = \{ 2: (.*?), 3: (.*?) \};", script)
    assert found
    return {
        n: [
            [int(v) for v in re.findall(r"\d+", colour)]
            for colour in re.findall(r"\[[\d, ]+\]", text)
        ]
        for n, text in zip((2, 3), found.groups(), strict=True)
    }


@pytest.mark.parametrize("sight", SEEN_BY)
def test_overlays(sight: str) -> None:
    for n, colours in mixed().items():
        assert len(colours) == n and np.sum(colours, axis=0).tolist() == [255] * 3
        assert least_distance(colours, SEEN_BY[sight]) > TOLD_APART


def test_red_green_and_blue_would_not_do() -> None:
    assert least_distance(RED_GREEN_BLUE, SEEN_BY["protanopia"]) < TOLD_APART / 2


@pytest.mark.parametrize("sight", SEEN_BY)
def test_a_single_map_grows_brighter(sight: str) -> None:
    ends = [[int(text[i : i + 2], 16) for i in (1, 3, 5)] for text in viewer._colours()]
    brightness = lab(np.array(ends, dtype=float), SEEN_BY[sight])[:, 0]
    assert (np.diff(brightness[::16]) > 1).all()
