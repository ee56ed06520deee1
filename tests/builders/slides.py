"""A drawn slide: stained tissue with a hole on noisy glass, dust, and strokes of ink."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np

from hespotex.sections.readers.slide import pixel_size, read_slide
from hespotex.sections.section import Section
from hespotex.sections.tissue import slide_tissue

from . import Pixels, halves, write_pyramid

SLIDE_MPP = 4.0  # um per px
# each with its centre, x then y, and its radius, in px
TISSUE = ((300, 220), 150)
HOLE = ((300, 220), 40)
DUST = ((560, 60), 10)
EOSIN = (225, 150, 190)
NUCLEI = (110, 70, 150)
INKS = {
    "green": (40, 140, 70),
    "blue": (40, 60, 180),
    "teal": (20, 110, 120),
    "black": (25, 25, 28),
}


def glass(width: int = 640, height: int = 480, seed: int = 0) -> Pixels:
    noise = np.random.default_rng(seed).normal(0, 2, (height, width, 1))
    return np.clip(np.array([243, 242, 241]) + noise, 0, 255).astype(np.uint8)


def drawn_slide(seed: int = 0) -> Pixels:
    """Glass with one round piece of tissue around a hole, and dust."""
    picture = glass(seed=seed)
    rng = np.random.default_rng(seed)
    for (centre, radius), colour in ((TISSUE, EOSIN), (DUST, EOSIN)):
        cv2.circle(picture, centre, radius, colour, -1)
    for x, y in rng.uniform(-1, 1, (800, 2)) * TISSUE[1] + TISSUE[0]:
        if np.hypot(x - TISSUE[0][0], y - TISSUE[0][1]) < TISSUE[1] - 3:
            cv2.circle(picture, (int(x), int(y)), 2, NUCLEI, -1)
    cv2.circle(picture, HOLE[0], HOLE[1], (243, 242, 241), -1)
    return picture


def write_slide(path: Path, picture: Pixels | None = None, mpp: float | None = SLIDE_MPP) -> Path:
    return write_pyramid(
        path, halves(drawn_slide() if picture is None else picture, 2), mpp, compression="deflate"
    )


def read(path: Path, mpp: float | None = None, **changes: Any) -> Section:
    """The slide as `predict.py` reads it, by default on a square grid of 100 um."""
    um_per_px, source = pixel_size(path, mpp)
    plain = {
        "pitch_um": 100.0,
        "spot_diameter_um": 55.0,
        "positions": None,
        "min_tissue": 0.5,
        "grid": "square",
    }
    tissue = changes.pop("tissue", None) or slide_tissue(path, um_per_px)
    return read_slide(path, um_per_px, source, tissue, **(plain | changes))
