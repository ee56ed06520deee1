"""However an image is cut into tiles, its pixels and its nuclei are the same."""

import cv2
import numpy as np
import pytest
from builders import halves, section, write_pyramid
from histology.drawn import GROUND, NUCLEUS, paint
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from hespotex.histology.nuclei import NEAR
from hespotex.nuclei.haematoxylin import HaematoxylinNuclei
from hespotex.nuclei.tiles import WorkingGrid, boxes_around, working_grid
from hespotex.sections.images import open_image
from hespotex.sections.section import Section

TILES = st.integers(8, 120).map(lambda eighths: 8 * eighths)


def field(side: int, mpp: float, seed: int = 0) -> NDArray[np.uint8]:
    """Elongated nuclei at random, many of which touch, on uneven ground and up to the border."""
    rng = np.random.default_rng(seed)
    inside = np.zeros((side, side), dtype=np.uint8)
    for x, y in rng.uniform(0, side, (round((side * mpp) ** 2 / 150), 2)):
        axes = tuple(int(16 * um / mpp) for um in rng.uniform(2.0, 5.0, 2))
        cv2.ellipse(
            inside,
            (int(16 * x), int(16 * y)),
            axes,
            rng.uniform(0, 180),
            0,
            360,
            255,
            -1,
            cv2.LINE_AA,
            4,
        )
    uneven = cv2.resize(rng.uniform(0.6, 1.4, (9, 9)), (side, side), interpolation=cv2.INTER_CUBIC)
    weight = inside / 255.0 * uneven
    return paint(
        *(
            ground + (nucleus - ground) * weight
            for nucleus, ground in zip(NUCLEUS, GROUND, strict=True)
        )
    )


@pytest.fixture(scope="module")
def fields(tmp_path_factory: pytest.TempPathFactory) -> dict[float, Section]:
    """300 um of drawn tissue at several pixel sizes, one of them with a pyramid; spots up to the
    border.
    """
    folder = tmp_path_factory.mktemp("fields")
    sections = {}
    for mpp in (0.23, 0.499, 0.7, 1.1):
        image = folder / f"{mpp}.png"
        side = round(300 / mpp)
        pixels = field(side, mpp)
        if mpp == 0.23:
            image = write_pyramid(folder / "a.tif", halves(pixels, 3), compression="deflate")
        else:
            Image.fromarray(pixels).save(image)
        spots = np.random.default_rng(1).uniform(0, side, (14, 2))
        sections[mpp] = section(image=image, pos=spots, mpp=mpp)
    return sections


@pytest.mark.parametrize("mpp", [0.23, 0.499, 0.7, 1.1])
@given(tile=TILES)
@settings(max_examples=6, deadline=None)
def test_seams(fields: dict[float, Section], mpp: float, tile: int) -> None:
    """One tile, or many: the same nuclei, none of them cut or found twice."""
    whole, cut = (HaematoxylinNuclei(100.0, tile_px=px).nuclei(fields[mpp]) for px in (8192, tile))
    assert len(whole) > 200 and len(cut) == len(whole)
    from_whole, from_cut = (np.round(table.centroids, 2) for table in (whole, cut))
    gap = np.linalg.norm(from_whole[:, None] - from_cut[None], axis=2).min(axis=1)
    assert gap.max() < 0.1
    np.testing.assert_allclose(np.sort(cut.area_um2), np.sort(whole.area_um2), rtol=1e-4)


@given(
    spots=st.lists(st.tuples(st.floats(0, 900), st.floats(0, 700)), min_size=1, max_size=12),
    around=st.floats(1, 300),
    tile=TILES,
    eighths=st.integers(8, 30),
)
@settings(max_examples=100, deadline=None)
def test_boxes_cover_every_square_once(
    spots: list[tuple[float, float]], around: float, tile: int, eighths: int
) -> None:
    scale = eighths / 8
    size = (-(-900 // eighths) * 8, -(-700 // eighths) * 8)
    grid = WorkingGrid(0, eighths, scale, 0.5 * scale, size)
    boxes = boxes_around(grid, np.array(spots), around, tile)
    times = np.zeros(size[::-1], dtype=np.int64)
    for left, top, right, bottom in boxes:
        assert left // tile == (right - 1) // tile and top // tile == (bottom - 1) // tile
        times[top:bottom, left:right] += 1
    assert times.max() == 1 and (boxes % 8 == 0).all()
    half = around / 2 / grid.mpp
    for x, y in np.array(spots) / scale:
        square = times[
            max(int(y - half), 0) : int(np.ceil(y + half)),
            max(int(x - half), 0) : int(np.ceil(x + half)),
        ]
        assert square.all()


@given(st.floats(0.1, 3.0), st.integers(0, 9), st.integers(0, 9))
@settings(max_examples=60, deadline=None)
def test_a_part_reads_like_the_whole(
    fields: dict[float, Section], mpp: float, x: int, y: int
) -> None:
    """Byte for byte, at any reduction."""
    image = open_image(fields[0.499].pixels)
    grid = working_grid(image, mpp, 0.7)
    width, height = (8 * (side // 16) for side in grid.size)
    whole = grid.read(image, np.array([0, 0, 2 * width, 2 * height]))
    left, top = (min(8 * n, side) for n, side in ((x, width), (y, height)))
    part = grid.read(image, np.array([left, top, left + width, top + height]))
    np.testing.assert_array_equal(part, whole[top : top + height, left : left + width])


@pytest.mark.parametrize("mpp", [0.05, 0.12, 0.25, 0.5, 0.58, 0.6, 0.69, 0.9, 2.0])
def test_working_pixels_are_near_what_is_wanted(fields: dict[float, Section], mpp: float) -> None:
    image = open_image(fields[0.23].pixels)  # three levels
    grid = working_grid(image, mpp, 0.7)
    assert grid.mpp == pytest.approx(mpp * grid.scale)
    if mpp > 0.7:
        assert grid.scale == 1
    else:
        assert 1 / NEAR < grid.mpp / 0.7 < 1.06
    assert grid.size[0] * grid.scale >= image.size[0]
