"""Tissue is what is stained; ink, dust and glass are not; a user's mask goes before colour."""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from builders import Pixels
from builders.slides import (
    DUST,
    EOSIN,
    HOLE,
    INKS,
    NUCLEI,
    SLIDE_MPP,
    TISSUE,
    drawn_slide,
    glass,
    write_slide,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from hespotex.common.errors import InputError
from hespotex.sections.images import open_image
from hespotex.sections.tissue import Tissue, find_tissue, read_tissue, slide_tissue, tissue_fraction
from hespotex.sections.tissue.colour import ink

RING_MM2 = np.pi * (TISSUE[1] ** 2 - HOLE[1] ** 2) * (SLIDE_MPP / 1000) ** 2


def found(path: Path, picture: Pixels, **options: Any) -> Tissue:
    return find_tissue(open_image(write_slide(path, picture)), SLIDE_MPP, **options)


def at(tissue: Tissue, x: float, y: float) -> bool:
    return bool(tissue.mask[int(y * tissue.scale), int(x * tissue.scale)])


class TestFound:
    def test_ring_of_tissue(self, tmp_path: Path) -> None:
        tissue = found(tmp_path / "a.tif", drawn_slide())
        # 8 um per px unless told otherwise
        assert tissue.scale == pytest.approx(SLIDE_MPP / 8, rel=0.01)
        assert tissue.area_mm2(SLIDE_MPP) == pytest.approx(RING_MM2, rel=0.06)
        assert not at(tissue, *HOLE[0]) and not at(tissue, *DUST[0])
        (piece,) = tissue.pieces()
        assert len(piece) == 2  # a border and a hole

    def test_sizes_are_areas(self, tmp_path: Path) -> None:
        filled = found(tmp_path / "a.tif", drawn_slide(), max_hole_um2=100_000)
        assert at(filled, *HOLE[0])
        with_dust = found(tmp_path / "b.tif", drawn_slide(), min_piece_um2=1_000)
        assert at(with_dust, *DUST[0]) and len(with_dust.pieces()) == 2

    @pytest.mark.parametrize("um_per_px", [4.0, 16.0])
    def test_power_hardly_matters(self, tmp_path: Path, um_per_px: float) -> None:
        tissue = found(tmp_path / "a.tif", drawn_slide(), um_per_px=um_per_px)
        assert tissue.mask.shape == (480 * 4 / um_per_px, 640 * 4 / um_per_px)
        assert tissue.area_mm2(SLIDE_MPP) == pytest.approx(RING_MM2, rel=0.12)

    @pytest.mark.parametrize("colour", INKS)
    def test_ink_is_no_tissue(self, tmp_path: Path, colour: str) -> None:
        """A stroke beside the tissue and one across it: what is under ink is lost, the rest
        stays.
        """
        picture = drawn_slide()
        cv2.line(picture, (60, 40), (60, 440), INKS[colour], 24)
        cv2.line(picture, (200, 130), (280, 90), INKS[colour], 16)
        tissue = found(tmp_path / "a.tif", picture)
        assert not tissue.mask[:, : int(90 * tissue.scale)].any()
        assert not at(tissue, 240, 110)
        assert RING_MM2 * 0.9 < tissue.area_mm2(SLIDE_MPP) < RING_MM2

    def test_blank_glass_is_empty(self, tmp_path: Path) -> None:
        assert not found(tmp_path / "a.tif", glass()).mask.any()
        black = np.zeros((300, 300, 3), np.uint8)
        assert not found(tmp_path / "b.tif", black).mask.any()

    def test_a_slide_full_of_tissue_is_full(self, tmp_path: Path) -> None:
        """Otsu's threshold would halve it: pale stroma is no glass."""
        picture = np.full((480, 640, 3), EOSIN, np.uint8)
        picture[:, 300:] = NUCLEI
        assert found(tmp_path / "a.tif", picture).mask.all()

    def test_real_slides(self, shared: Path) -> None:
        """An Aperio slide with green ink on its margins: glass, ink and a wisp of dust stay out,
        dermis is in.
        """
        image = open_image(shared / "data" / "slides" / "cmu-1-small-region.svs")
        tissue = find_tissue(image, 0.499)
        assert 0.3 < tissue.mask.mean() < 0.45
        assert (
            at(tissue, 1000, 2000)
            and at(tissue, 1300, 2600)
            and not at(tissue, 300, 2000)
            and not at(tissue, 2090, 610)
        )


@given(
    vectors=st.tuples(
        st.floats(0.45, 0.68), st.floats(0.2, 0.45), st.floats(0.03, 0.25), st.floats(0.1, 0.5)
    ),
    amounts=st.tuples(st.floats(0, 2), st.floats(0, 2)),
)
def test_no_mixture_of_haematoxylin_and_eosin_is_ink(
    vectors: tuple[float, float, float, float], amounts: tuple[float, float]
) -> None:
    red_h, blue_h, red_e, blue_e = vectors  # published stain vectors lie in these ranges
    stains = np.array([[red_h, 0.70, blue_h], [red_e, 0.85, blue_e]])
    colour = np.round(255 * 10 ** -(np.array(amounts) @ stains)).astype(np.uint8)
    grey = colour.max() < 80 and colour.max() - colour.min() < 20  # so dense that no colour is left
    assert grey or not ink(colour[None, None]).any()


class TestFraction:
    @settings(max_examples=40)
    @given(
        x=st.floats(-30, 130),
        y=st.floats(-30, 110),
        side=st.floats(2, 60),
        scale=st.sampled_from([1.0, 0.5, 0.25]),
    )
    def test_equals_counting(self, x: float, y: float, side: float, scale: float) -> None:
        mask = np.random.default_rng(0).random((int(80 * scale), int(100 * scale))) > 0.5
        (share,) = tissue_fraction(mask, scale, np.array([[x, y]]), side)
        low = [max(0, round((v - side / 2) * scale)) for v in (x, y)]
        high = [
            max(round((v + side / 2) * scale), start + 1)
            for v, start in zip((x, y), low, strict=True)
        ]
        part = mask[low[1] : high[1], low[0] : high[0]]
        assert share == pytest.approx(part.mean() if part.size else 0.0)


def geojson(path: Path, content: Any) -> Path:
    path.write_text(json.dumps(content))
    return path


SQUARE = [[100, 100], [300, 100], [300, 300], [100, 300], [100, 100]]
WINDOW = [[150, 150], [200, 150], [200, 200], [150, 200], [150, 150]]
POLYGON = {"type": "Polygon", "coordinates": [SQUARE, WINDOW]}
FEATURE = {"type": "Feature", "geometry": POLYGON, "properties": {}}


class TestGiven:
    @pytest.mark.parametrize(
        "content",
        [
            POLYGON,
            FEATURE,
            [FEATURE],
            {"type": "FeatureCollection", "features": [FEATURE]},
            {"type": "MultiPolygon", "coordinates": [[SQUARE, WINDOW]]},
            {"type": "GeometryCollection", "geometries": [POLYGON]},
        ],
        ids=["polygon", "feature", "list", "collection", "multi", "geometries"],
    )
    @pytest.mark.parametrize("size", [(640, 480), (40_000, 30_000)])
    def test_geojson(self, tmp_path: Path, content: Any, size: tuple[int, int]) -> None:
        tissue = read_tissue(geojson(tmp_path / "m.geojson", content), size)
        assert (
            tissue.mask.shape[0] == pytest.approx(size[1] * tissue.scale, abs=1)
            and max(tissue.mask.shape) <= 5000
        )
        area = tissue.mask.sum() / tissue.scale**2
        # at an eighth of the power a px is 8 px wide
        assert area == pytest.approx(200**2 - 50**2, rel=0.2)

    def test_overlapping_polygons_unite(self, tmp_path: Path) -> None:
        shifted = (np.array(SQUARE) + 50).tolist()
        both = [POLYGON, {"type": "Polygon", "coordinates": [shifted]}]
        tissue = read_tissue(geojson(tmp_path / "m.json", both), (640, 480))
        assert at(tissue, 175, 175) and at(tissue, 340, 340) and not at(tissue, 90, 90)

    @pytest.mark.parametrize("shrink", [1, 4])
    @pytest.mark.parametrize("kind", ["bool", "labels", "rgb"])
    def test_picture_of_any_scale(self, tmp_path: Path, shrink: int, kind: str) -> None:
        mask = np.zeros((480 // shrink, 640 // shrink), np.uint16)
        mask[: 240 // shrink] = 1 if kind == "bool" else 300
        cv2.imwrite(str(tmp_path / "m.png"), cv2.merge([mask] * 3) if kind == "rgb" else mask)
        tissue = read_tissue(tmp_path / "m.png", (640, 480))
        assert tissue.mask.mean() == pytest.approx(0.5) and tissue.scale == pytest.approx(
            1 / shrink
        )
        np.testing.assert_array_equal(
            tissue.fraction(np.array([[320.0, 100.0], [320.0, 400.0]]), 50), [1, 0]
        )

    @pytest.mark.parametrize(
        ("name", "content", "message"),
        [
            ("m.geojson", "{", r"m.geojson: not valid JSON"),
            (
                "m.geojson",
                '{"type": "Point", "coordinates": [1, 2]}',
                r"expected GeoJSON with a Polygon.*found none",
            ),
            (
                "m.geojson",
                '{"type": "Polygon", "coordinates": [[1, 2]]}',
                r"coordinates are not lists",
            ),
            ("m.geojson", '{"type": "Polygon", "coordinates": null}', r"coordinates are not lists"),
            (
                "m.geojson",
                json.dumps({"type": "Polygon", "coordinates": [[[x + 900, y] for x, y in SQUARE]]}),
                r"marks no tissue inside the slide of 640 x 480 px",
            ),
            (
                "m.geojson",
                '{"type": "Polygon", "coordinates": [[[1, 2], [NaN, 3], [4, 5]]]}',
                r"coordinates are not lists",
            ),
            ("m.png", "no picture", r"cannot be read as a mask"),
        ],
    )
    def test_unusable(self, tmp_path: Path, name: str, content: str, message: str) -> None:
        (tmp_path / name).write_text(content)
        with pytest.raises(InputError, match=message):
            read_tissue(tmp_path / name, (640, 480))

    def test_of_another_shape_or_absent(self, tmp_path: Path) -> None:
        cv2.imwrite(str(tmp_path / "m.png"), np.ones((100, 100), np.uint8))
        with pytest.raises(
            InputError, match=r"100 x 100 px has not the shape of the slide of 640 x 480"
        ):
            read_tissue(tmp_path / "m.png", (640, 480))
        with pytest.raises(InputError, match=r"mask not found: .*; set tissue.mask=FILE"):
            read_tissue(tmp_path / "x.png", (640, 480))


class TestOfASlide:
    """`tissue.mask` is one file, or a folder with one file a slide."""

    @pytest.fixture
    def slide(self, tmp_path: Path) -> Path:
        return write_slide(tmp_path / "s1.tif")

    def test_file_folder_or_colour(self, slide: Path, tmp_path: Path) -> None:
        masks = tmp_path / "masks"
        masks.mkdir()
        file = geojson(masks / "s1.geojson", POLYGON)
        geojson(masks / "s10.geojson", {})
        (masks / "s1.txt").touch()
        for mask in (file, masks):
            assert slide_tissue(slide, SLIDE_MPP, str(mask)).source == "s1.geojson"
        found = slide_tissue(slide, SLIDE_MPP, um_per_px=16.0)
        assert found.source == "found by colour" and found.mask.shape == (120, 160)

    @pytest.mark.parametrize("names", [[], ["s1.png", "s1.geojson"]])
    def test_folder_without_the_slide_or_with_two(
        self, slide: Path, tmp_path: Path, names: list[str]
    ) -> None:
        masks = tmp_path / "masks"
        masks.mkdir()
        for name in names:
            (masks / name).touch()
        with pytest.raises(
            InputError, match=r"expected one file s1.geojson or s1.png for the slide s1, found \["
        ):
            slide_tissue(slide, SLIDE_MPP, str(masks))


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), scale=st.sampled_from([1.0, 0.25, 0.03]))
def test_pieces_filled_again_are_the_mask(seed: int, scale: float) -> None:
    noise = np.random.default_rng(seed).random((60, 80)).astype(np.float32)
    rough = cv2.GaussianBlur(noise, (0, 0), 2) > 0.5
    mask: NDArray[np.bool_] = (
        cv2.morphologyEx(rough.astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)) > 0
    )
    again = np.zeros(mask.shape, np.uint8)
    for rings in Tissue(mask, scale, "test").pieces():
        cv2.fillPoly(again, [np.round(ring * scale - 0.5).astype(np.int32) for ring in rings], 1)
    np.testing.assert_array_equal(again > 0, mask)
