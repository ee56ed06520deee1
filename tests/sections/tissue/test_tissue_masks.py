"""Masks and outlines as programs save them: the tissue that was meant, or a refusal; never the
glass, never all.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import tifffile
from builders.slides import SLIDE_MPP, drawn_slide, write_slide
from PIL import Image

from hespotex.common.errors import InputError
from hespotex.sections.tissue import Frame, Tissue, read_tissue, slide_tissue

SIZE = (640, 480)
ON = np.zeros((SIZE[1], SIZE[0]), bool)
ON[100:300, 80:330] = True
GREY = ON.astype(np.uint8) * 255
Write = Callable[[Path], Any]


def indexed(colours: list[tuple[int, int, int]], suffix: str = ".png", **options: Any) -> Write:
    def write(path: Path) -> None:
        picture = Image.fromarray(ON.astype(np.uint8), "P")
        picture.putpalette([value for colour in colours for value in colour])
        picture.save(path.with_suffix(suffix), **options)

    return write


def png(pixels: Any) -> Write:
    return lambda path: cv2.imwrite(str(path.with_suffix(".png")), pixels)


def tif(pixels: Any, **options: Any) -> Write:
    return lambda path: tifffile.imwrite(path.with_suffix(".tif"), pixels, metadata=None, **options)


def pil(mode: str, suffix: str = ".png", **options: Any) -> Write:
    return lambda path: (
        Image.fromarray(GREY).convert(mode).save(path.with_suffix(suffix), **options)
    )


WHITE = (255, 255, 255)
RED = (200, 0, 0)
BLACK = (0, 0, 0)
MEANT: dict[str, Write] = {
    "white background, indexed": indexed([WHITE, RED]),
    "black background, indexed": indexed([BLACK, WHITE]),
    "indexed bmp": indexed([BLACK, RED], ".bmp"),
    "indexed tif": indexed([WHITE, RED], ".tif"),
    "transparent index": indexed([WHITE, BLACK], transparency=0),
    "in alpha, white": png(np.dstack([np.full((*ON.shape, 3), 255, np.uint8), GREY])),
    "in alpha, black": png(np.dstack([np.zeros((*ON.shape, 3), np.uint8), GREY])),
    "in faint alpha": png(np.dstack([np.full((*ON.shape, 3), 90, np.uint8), GREY // 3])),
    "opaque alpha": png(np.dstack([GREY, GREY, GREY, GREY * 0 + 255])),
    "grey and alpha": lambda path: Image.fromarray(np.dstack([GREY, GREY])).save(
        path.with_suffix(".png")
    ),
    "alpha tif": tif(
        np.dstack([GREY * 0 + 255] * 3 + [GREY]), photometric="rgb", extrasamples=["unassalpha"]
    ),
    "bilevel png": pil("1"),
    "bilevel tif, black is zero": pil("1", ".tif"),
    "labels": png(ON.astype(np.uint16) * 1000),
    "ones": png(ON.astype(np.uint8)),
    "rgb": png(np.dstack([GREY * 0, GREY * 0, GREY])),
    "label tif": tif(ON.astype(np.int32) * 70_000),
    "tiled tif": tif(GREY, tile=(64, 64), compression="deflate"),
    "planar tif": tif(
        np.stack([GREY, GREY * 0, GREY * 0]), photometric="rgb", planarconfig="separate"
    ),
    "jpeg": pil("RGB", ".jpg", quality=60),
}


def read(folder: Path, write: Write) -> Tissue:
    write(folder / "m")
    (path,) = folder.iterdir()
    return read_tissue(path, SIZE)


@pytest.mark.parametrize("kind", MEANT)
def test_what_was_meant(tmp_path: Path, kind: str) -> None:
    assert (read(tmp_path, MEANT[kind]).mask != ON).mean() < 0.01


REFUSED: dict[str, tuple[Write, str]] = {
    "bilevel tif": (tif(ON), "white is zero"),
    "white is zero": (tif(255 - GREY, photometric="miniswhite"), "white is zero"),
    "white and black, indexed": (indexed([WHITE, BLACK]), "index 0 is the background"),
    "black beside another": (indexed([RED, BLACK]), "index 0 is the background"),
    "white glass": (
        png(np.where(ON[..., None], 90, 255).astype(np.uint8) * np.ones(3, np.uint8)),
        "the whole slide",
    ),
    "labels from 1": (png(ON.astype(np.uint8) + 1), "the whole slide"),
    "all": (png(np.full(ON.shape, 255, np.uint8)), "the whole slide"),
    "all, in alpha": (png(np.full((*ON.shape, 4), 255, np.uint8)), "the whole slide"),
    "none": (png(GREY * 0), "marks no tissue"),
    "wholly transparent": (png(np.zeros((*ON.shape, 4), np.uint8)), "wholly transparent"),
    "float": (tif(ON.astype(np.float32)), "not clear"),
    "cmyk": (pil("CMYK", ".tif"), "not clear"),
    "stack": (tif(np.zeros((3, 48, 64), np.uint8), photometric="minisblack"), "pages"),
    "text": (lambda path: path.with_suffix(".png").write_text("x"), "cannot be read as a mask"),
    "half": (lambda path: path.with_suffix(".tif").write_bytes(b"II*\0\x08\0\0\0"), "m.tif"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_is_refused_in_words(tmp_path: Path, kind: str) -> None:
    write, words = REFUSED[kind]
    with pytest.raises(InputError, match=words) as error:
        read(tmp_path, write)
    assert str(tmp_path) in str(error.value)


@pytest.mark.parametrize("turned", [False, True])
def test_a_mask_of_the_glass_is_told(
    tmp_path: Path, turned: bool, caplog: pytest.LogCaptureFixture
) -> None:
    slide = write_slide(tmp_path / "s.tif", drawn_slide())
    found = slide_tissue(slide, SLIDE_MPP).mask
    cv2.imwrite(str(tmp_path / "m.png"), (found != turned).astype(np.uint8) * 255)
    slide_tissue(slide, SLIDE_MPP, mask=str(tmp_path / "m.png"))
    assert ("is it the wrong way round" in caplog.text) == turned


def square(left: float, top: float, side: float) -> list[list[float]]:
    return [
        [left, top],
        [left + side, top],
        [left + side, top + side],
        [left, top + side],
        [left, top],
    ]


def feature(
    ring: Any, name: str = "", kind: str = "annotation", hole: Any = None
) -> dict[str, Any]:
    geometry = {"type": "Polygon", "coordinates": [ring, hole] if hole else [ring]}
    facts: dict[str, Any] = {"objectType": kind} | (
        {"classification": {"name": name}} if name else {}
    )
    return {"type": "Feature", "geometry": geometry, "properties": facts}


def outlined(
    folder: Path, *features: Any, frame: Frame | None = None, size: tuple[int, int] = SIZE
) -> Tissue:
    path = folder / "m.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return read_tissue(path, size, frame)


def at(tissue: Tissue, x: float, y: float) -> bool:
    return bool(tissue.mask[int(y * tissue.scale), int(x * tissue.scale)])


class TestOutlines:
    @pytest.mark.parametrize(
        "name", ["Ignore*", "ignore", "Background", "Hole", "Glass*", "Artifact"]
    )
    @pytest.mark.parametrize("first", [True, False])
    def test_what_is_to_be_ignored_is_cut_out(self, tmp_path: Path, name: str, first: bool) -> None:
        both = [feature(square(100, 100, 300), "Tissue"), feature(square(200, 200, 50), name)]
        tissue = outlined(tmp_path, *(both if first else reversed(both)))
        assert at(tissue, 120, 120) and not at(tissue, 225, 225)

    @pytest.mark.parametrize("name", ["", "Tumor", "Stroma", "Region*", "Immune cells: CD8"])
    def test_other_classes_are_tissue(self, tmp_path: Path, name: str) -> None:
        tissue = outlined(tmp_path, feature(square(100, 100, 300), name, hole=square(200, 200, 50)))
        assert at(tissue, 120, 120) and not at(tissue, 225, 225)

    @pytest.mark.parametrize("kind", ["detection", "cell", "tile"])
    def test_cells_beside_annotations_are_no_tissue(self, tmp_path: Path, kind: str) -> None:
        tissue = outlined(
            tmp_path, feature(square(100, 100, 100)), feature(square(300, 300, 50), kind=kind)
        )
        assert at(tissue, 150, 150) and not at(tissue, 325, 325)

    def test_only_what_is_cut_out(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match=r"cut out of the tissue: Ignore\*"):
            outlined(tmp_path, feature(square(1, 1, 9), "Ignore*"))

    @pytest.mark.parametrize(
        "far", [2.0**31, 2.0**31 + 150, 2.0**32 + 100, 1e18, 1e300, -(2.0**33)]
    )
    def test_coordinates_beyond_reason_do_not_wrap(self, tmp_path: Path, far: float) -> None:
        with pytest.raises(InputError, match=r"coordinates up to .* the slide has 640 x 480 px"):
            outlined(tmp_path, feature(square(far, far, 300)))

    @pytest.mark.parametrize(
        "content",
        [
            "{",
            "[[[[",
            '{"type": "Polygon", "coordinates": "x"}',
            '{"type": "Polygon"}',
            "[" * 100_000,
            "3",
            '"x"',
        ],
    )
    def test_no_outline(self, tmp_path: Path, content: str) -> None:
        path = tmp_path / "m.geojson"
        path.write_text(content)
        with pytest.raises(InputError, match=r"m.geojson|whole"):
            read_tissue(path, SIZE)


class TestScannedArea:
    """A canvas of 2400 x 2000 px, scanned in 1200 x 1200 px at 800, 600: QuPath counts from
    there.
    """

    size = (2400, 2000)
    frame = Frame((800, 600), (1200, 1200))

    def test_an_outline_counts_from_its_corner(self, tmp_path: Path) -> None:
        tissue = outlined(
            tmp_path, feature(square(100, 100, 400)), frame=self.frame, size=self.size
        )
        assert (
            at(tissue, 910, 710)
            and at(tissue, 1290, 1090)
            and not at(tissue, 200, 200)
            and not at(tissue, 1400, 800)
        )

    @pytest.mark.parametrize("shrink", [2, 8])
    def test_a_picture_of_it_is_put_in_its_place(self, tmp_path: Path, shrink: int) -> None:
        picture = np.zeros((1200 // shrink, 1200 // shrink), np.uint8)
        picture[: 600 // shrink, : 600 // shrink] = 255
        cv2.imwrite(str(tmp_path / "m.png"), picture)
        tissue = read_tissue(tmp_path / "m.png", self.size, self.frame)
        assert (
            at(tissue, 820, 620)
            and at(tissue, 1380, 1180)
            and not at(tissue, 700, 700)
            and not at(tissue, 1500, 700)
        )
        assert tissue.mask.sum() / tissue.scale**2 == pytest.approx(600**2, rel=0.05)

    def test_a_picture_of_the_canvas_stays(self, tmp_path: Path) -> None:
        picture = np.zeros((500, 600), np.uint8)
        picture[:100, :100] = 255
        cv2.imwrite(str(tmp_path / "m.png"), picture)
        assert at(read_tissue(tmp_path / "m.png", self.size, self.frame), 200, 200)

    def test_a_picture_of_either_is_refused(self, tmp_path: Path) -> None:
        cv2.imwrite(str(tmp_path / "m.png"), np.eye(100, dtype=np.uint8) * 255)
        with pytest.raises(
            InputError, match=r"covers the canvas .* or the scanned area .* give GeoJSON"
        ):
            read_tissue(tmp_path / "m.png", (2000, 2000), Frame((100, 100), (1000, 1000)))
