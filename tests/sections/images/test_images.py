"""Regions of any image format are what slicing the whole image gives; broken files are named."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import tifffile
from builders import Pixels, halves, picture, write_pyramid
from PIL import Image

from hespotex.common.errors import InputError
from hespotex.sections.images import RegionReader, open_image
from hespotex.sections.images.region import (
    best_level,
    level_size,
    read_padded,
    thumbnail,
    thumbnail_of,
)

WIDTH = 300
HEIGHT = 200
REGIONS = [
    (0, 0, 300, 200),
    (0, 0, 1, 1),
    (63, 64, 2, 1),
    (64, 64, 64, 64),
    (50, 30, 170, 150),
    (299, 199, 1, 1),
    (250, 130, 50, 70),
]


@pytest.fixture(scope="module")
def image() -> Pixels:
    return picture(WIDTH, HEIGHT)


def assert_regions_equal(
    reader: RegionReader, level: int, expected: Pixels, tolerance: float = 0
) -> None:
    scale = reader.downsamples[level]
    for x, y, width, height in REGIONS:
        x = int(x / scale)
        y = int(y / scale)
        width = max(1, int(width / scale))
        height = max(1, int(height / scale))
        region = reader.read(level, x, y, width, height)
        assert region.shape == (height, width, 3) and region.dtype == np.uint8
        difference = np.abs(region.astype(int) - expected[y : y + height, x : x + width])
        assert difference.mean() <= tolerance


@pytest.mark.parametrize(
    ("options", "loss"),
    [
        ({"compression": "deflate"}, 0),
        ({"compression": "deflate", "predictor": True}, 0),
        ({"compression": "lzw"}, 0),
        ({"compression": "lzw", "predictor": True}, 0),
        ({"compression": None}, 0),
        ({"compression": "jpeg", "compressionargs": {"level": 95}}, 8),
        ({"compression": "jpeg2000"}, 0),
        ({"compression": None, "tile": (48, 80)}, 0),
    ],
    ids=str,
)
def test_tiled_pyramid(tmp_path: Path, image: Pixels, options: dict[str, Any], loss: float) -> None:
    levels = halves(image, 3)
    path = write_pyramid(tmp_path / "a.tif", levels, **options)
    reader = open_image(path)
    assert (
        reader.size == (WIDTH, HEIGHT)
        and reader.downsamples == pytest.approx([1, 2, 4])
        and reader.mpp is None
    )
    for level, pixels in enumerate(levels):
        assert level_size(reader, level) == (pixels.shape[1], pixels.shape[0])
        stored = tifffile.imread(path, level=level)
        assert np.abs(stored.astype(int) - pixels).mean() <= loss
        assert_regions_equal(reader, level, stored)


def test_pyramid_in_further_pages(tmp_path: Path) -> None:
    levels = halves(picture(600, 400), 2)
    with tifffile.TiffWriter(tmp_path / "a.tif") as tiff:
        for k, level in enumerate(levels):
            tiff.write(
                level,
                tile=(64, 64),
                photometric="rgb",
                subfiletype=int(k > 0),
                metadata=None,
                compression="deflate",
            )
    reader = open_image(tmp_path / "a.tif")
    assert reader.downsamples == [1, 2]
    assert_regions_equal(reader, 1, levels[1])


@pytest.mark.parametrize("rows", [1, 7, 200, 1000])
@pytest.mark.parametrize("compression", [None, "deflate"])
def test_striped_tif(tmp_path: Path, image: Pixels, rows: int, compression: str | None) -> None:
    tifffile.imwrite(
        tmp_path / "a.tiff", image, photometric="rgb", rowsperstrip=rows, compression=compression
    )
    assert_regions_equal(open_image(tmp_path / "a.tiff"), 0, image)


@pytest.mark.parametrize(
    ("suffix", "tolerance"), [("png", 0), ("bmp", 0), ("jpg", 4), ("JPEG", 4), ("PNG", 0)]
)
def test_plain_images(tmp_path: Path, image: Pixels, suffix: str, tolerance: float) -> None:
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(image).save(path, dpi=(72, 72), quality=95)
    reader = open_image(path)
    assert reader.size == (WIDTH, HEIGHT) and reader.mpp is None and reader.downsamples == [1.0]
    assert_regions_equal(reader, 0, image, tolerance)


@pytest.mark.parametrize("tile", [None, (64, 64)])
def test_opaque_alpha_changes_nothing(
    tmp_path: Path, image: Pixels, tile: tuple[int, int] | None
) -> None:
    rgba = np.dstack([image, np.full((HEIGHT, WIDTH), 255, dtype=np.uint8)])
    tifffile.imwrite(
        tmp_path / "a.tif", rgba, photometric="rgb", tile=tile, extrasamples=["unassalpha"]
    )
    assert_regions_equal(open_image(tmp_path / "a.tif"), 0, image)


@pytest.mark.parametrize("name", ["a.tif", "a.png"])
@pytest.mark.parametrize("tile", [None, (64, 64)])
def test_grey_becomes_rgb(
    tmp_path: Path, image: Pixels, name: str, tile: tuple[int, int] | None
) -> None:
    grey = np.ascontiguousarray(image[..., 0])
    if name.endswith("tif"):
        tifffile.imwrite(tmp_path / name, grey, photometric="minisblack", tile=tile)
    else:
        Image.fromarray(grey).save(tmp_path / name)
    assert_regions_equal(open_image(tmp_path / name), 0, np.repeat(grey[..., None], 3, axis=2))


@pytest.mark.parametrize(
    "pixels", [np.zeros((80, 80, 3), np.uint16), np.zeros((80, 80), np.float32)]
)
def test_16_bit_and_float_are_refused(tmp_path: Path, pixels: Pixels) -> None:
    path = tmp_path / "deep.tif"
    tifffile.imwrite(path, pixels)
    with pytest.raises(InputError, match="expected 8-bit RGB or grey") as error:
        open_image(path)
    for part in (str(path), str(pixels.dtype), "convert it"):
        assert part in str(error.value)


@pytest.mark.parametrize(
    ("unit", "per_um"), [("CENTIMETER", 1e4), ("INCH", 25_400.0), ("NONE", 0.0)]
)
@pytest.mark.parametrize("mpp", [0.25, 0.5, 1.37])
def test_mpp_from_resolution_tags(tmp_path: Path, unit: str, per_um: float, mpp: float) -> None:
    resolution = (per_um / mpp, per_um / mpp) if per_um else (1, 1)
    path = tmp_path / "a.tif"
    tifffile.imwrite(
        path,
        np.zeros((64, 64, 3), np.uint8),
        photometric="rgb",
        resolution=resolution,
        resolutionunit=unit,
    )
    assert open_image(path).mpp == (pytest.approx(mpp, rel=1e-6) if per_um else None)


@pytest.mark.parametrize(
    ("x", "y", "width", "height"),
    [(-20, -10, 60, 50), (265, 175, 60, 40), (-5, -7, 310, 214), (100, 50, 20, 20)],
)
def test_read_padded_mirrors(
    tmp_path: Path, image: Pixels, x: int, y: int, width: int, height: int
) -> None:
    path = write_pyramid(tmp_path / "a.tif", halves(image, 2), compression="deflate")
    pad = 50
    expected = np.pad(image, ((pad, pad), (pad, pad), (0, 0)), mode="reflect")
    region = read_padded(open_image(path), 0, x, y, width, height)
    np.testing.assert_array_equal(
        region, expected[y + pad : y + pad + height, x + pad : x + pad + width]
    )


def test_read_padded_on_a_level_and_outside(tmp_path: Path, image: Pixels) -> None:
    levels = halves(image, 2)
    reader = open_image(write_pyramid(tmp_path / "a.tif", levels, compression="deflate"))
    expected = np.pad(levels[1], ((0, 0), (10, 0), (0, 0)), mode="reflect")[:30, :40]
    np.testing.assert_array_equal(read_padded(reader, 1, -10, 0, 40, 30), expected)
    assert (read_padded(reader, 0, WIDTH + 5, 0, 40, 30) == 255).all()  # nothing there: white glass


def test_best_level_is_never_coarser_than_asked(tmp_path: Path, image: Pixels) -> None:
    reader = open_image(write_pyramid(tmp_path / "a.tif", halves(image, 3)))
    assert [best_level(reader, d) for d in (0.3, 1.0, 1.9, 2.0, 3.9, 4.0, 99.0)] == [
        0,
        0,
        0,
        1,
        1,
        2,
        2,
    ]


@pytest.mark.parametrize(
    ("longest", "size"),
    [(150, (150, 100)), (100, (100, 67)), (40, (40, 27)), (5000, (300, 200)), (1, (1, 1))],
)
@pytest.mark.parametrize("n_levels", [1, 3])
def test_thumbnail(
    tmp_path: Path, image: Pixels, longest: int, size: tuple[int, int], n_levels: int
) -> None:
    small, scale = thumbnail(
        open_image(write_pyramid(tmp_path / "a.tif", halves(image, n_levels))), longest
    )
    assert small.shape == (size[1], size[0], 3) and scale == pytest.approx(min(1, longest / WIDTH))
    expected = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    assert np.abs(small.astype(int) - expected).mean() < 3


def test_thumbnail_of_a_tall_image_in_bands(tmp_path: Path) -> None:
    tall = np.broadcast_to(np.linspace(0, 255, 9000)[:, None, None], (9000, 60, 3)).astype(np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", tall, photometric="rgb", rowsperstrip=100)
    small, scale = thumbnail(open_image(tmp_path / "a.tif"), 700)
    expected = cv2.resize(tall, (5, 700), interpolation=cv2.INTER_AREA)
    assert small.shape == expected.shape and scale == pytest.approx(700 / 9000)
    assert np.abs(small.astype(int) - expected).max() <= 1


@pytest.mark.parametrize(
    ("width", "height", "tolerance"),
    [(904, 600, 1), (40, 32, 1), (601, 1203, 5)],  # a reduced one covers up to 7 px more
)
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("suffix", ["jpg", "png"])
def test_thumbnail_of_a_reduced_jpeg(
    tmp_path: Path, width: int, height: int, tolerance: float, mode: str, suffix: str
) -> None:
    """As of the whole picture, which a JPEG is not decoded to."""
    path = tmp_path / f"a.{suffix}"
    smooth = cv2.GaussianBlur(picture(width, height), (0, 0), 3)
    Image.fromarray(np.asarray(smooth)).convert(mode).save(path, "JPEG", quality=95)
    small, scale = thumbnail_of(path, 100)
    expected, whole = thumbnail(open_image(path), 100)
    assert small.shape == expected.shape and scale == whole
    assert np.abs(small.astype(int) - expected).mean() < tolerance


@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_thumbnail_of_a_broken_file(tmp_path: Path, image: Pixels, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(image).save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(InputError, match="is the file whole"):
        thumbnail_of(path, 100)


def test_missing_image(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="image not found") as error:
        open_image(tmp_path / "none.tif")
    assert str(tmp_path / "none.tif") in str(error.value)
    with pytest.raises(InputError, match="image not found"):
        thumbnail_of(tmp_path / "none.tif", 100)


def test_unknown_format(tmp_path: Path) -> None:
    path = tmp_path / "a.xyz"
    path.write_bytes(b"x")
    with pytest.raises(
        InputError, match=r"unknown image format '.xyz'; known are .*\.svs.*\.tif"
    ) as error:
        open_image(path)
    assert str(path) in str(error.value)


@pytest.mark.parametrize(
    "content",
    [b"", b"not an image at all", b"II*\x00\x08\x00\x00\x00"],
    ids=["zero", "text", "header"],
)
@pytest.mark.parametrize("suffix", ["tif", "png", "jpg", "svs", "ndpi"])
def test_broken_file(tmp_path: Path, suffix: str, content: bytes) -> None:
    path = tmp_path / f"broken.{suffix}"
    path.write_bytes(content)
    with pytest.raises(InputError, match="is the file whole") as error:
        open_image(path)
    assert str(path) in str(error.value)


@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_truncated_plain_image(tmp_path: Path, image: Pixels, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(image).save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(InputError, match="is the file whole") as error:
        open_image(path)
    assert str(path) in str(error.value)


@pytest.mark.parametrize("compression", ["deflate", "lzw", "jpeg", None])
def test_truncated_tif(tmp_path: Path, image: Pixels, compression: str | None) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, image, tile=(64, 64), photometric="rgb", compression=compression)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(InputError, match="whole") as error:
        open_image(path).read(0, 250, 150, 40, 40)
    assert str(path) in str(error.value)


def test_sparse_tiles_are_white(tmp_path: Path) -> None:
    tiles = [np.full((64, 64, 3), 7, np.uint8), None]
    with tifffile.TiffWriter(tmp_path / "a.tif") as tiff:
        tiff.write(
            iter(tiles),
            shape=(64, 128, 3),
            dtype=np.uint8,
            tile=(64, 64),
            photometric="rgb",
            compression="deflate",
        )
    region = open_image(tmp_path / "a.tif").read(0, 0, 0, 128, 64)
    assert (region[:, :64] == 7).all() and np.ptp(region[:, 64:]) == 0


def test_a_changed_file_is_opened_anew(tmp_path: Path, image: Pixels) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(image).save(path)
    first = open_image(path)
    assert open_image(path) is first
    Image.fromarray(image[:100]).save(path)
    assert open_image(path).size == (WIDTH, 100)


def test_real_svs_equals_openslide(shared: Path) -> None:
    import openslide

    path = shared / "data" / "slides" / "cmu-1-small-region.svs"
    reader = open_image(path)
    slide = openslide.OpenSlide(path)
    assert reader.size == (2220, 2967) and reader.mpp == pytest.approx(0.499, abs=1e-3)
    assert all(a < b for a, b in pairwise(reader.downsamples))
    for x, y in [(0, 0), (1000, 1500), (2100, 2860)]:
        expected = np.asarray(slide.read_region((x, y), 0, (100, 90)).convert("RGB"))
        np.testing.assert_array_equal(reader.read(0, x, y, 100, 90), expected)
    small, scale = thumbnail(reader, 300)
    assert small.shape == (300, round(2220 * scale), 3) and small.mean() > 100
