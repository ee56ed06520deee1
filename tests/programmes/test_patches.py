"""Patches at the ends of a programme: the right spots, and the right pixels."""

from pathlib import Path

import cv2
import numpy as np

from hespotex.results.figures.patches import HEAD_PX, PATCH_PX, _row, draw_patches, extremes
from hespotex.sections.patch_reader import patch_reader
from hespotex.sections.patches import PatchSpec
from hespotex.sections.readers.hest.folder import HestReader


def test_the_ends_are_of_all_sections() -> None:
    scores = [np.array([0.0, 5.0, 4.0, -1.0]), np.array([1.0, 0.5, -3.0])]
    high, low = extremes(scores, shown=3)
    assert [(found.section, found.spot) for found in high] == [(0, 1), (0, 2), (1, 0)]
    assert [(found.section, found.spot) for found in low] == [(1, 2), (0, 3), (0, 0)]


def test_one_section_alone() -> None:
    high, low = extremes([np.array([1.0, 2.0])], shown=8)
    assert [found.spot for found in high] == [1, 0] and [found.spot for found in low] == [0, 1]


def test_the_pixels_are_those_of_the_spots(small_demo: Path, tmp_path: Path) -> None:
    sections = [HestReader(str(small_demo)).read(name) for name in ("DEMO1", "DEMO3")]
    scores = [np.arange(len(section.adata), dtype=np.float64) for section in sections]
    high, _ = extremes(scores)
    row = _row(sections, high, 150)
    best = sections[high[0].section]
    spots = np.array([high[0].spot])
    np.testing.assert_array_equal(
        row[HEAD_PX:, :PATCH_PX], patch_reader(best, PatchSpec(150, PATCH_PX))(spots)[0]
    )
    draw_patches(sections, scores, 150, tmp_path / "patches.png")
    picture = cv2.imread(str(tmp_path / "patches.png"))
    assert picture is not None and picture.shape[1] > 8 * 100
