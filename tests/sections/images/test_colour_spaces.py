"""One picture in every colour space is the same picture, or is refused in words."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import tifffile
from builders import Pixels, picture
from numpy.typing import NDArray
from PIL import Image, ImageCms

from hespotex.common.errors import InputError
from hespotex.sections.images import open_image

SIDE = (120, 100)
RGB = picture(*SIDE)
GREY = cv2.cvtColor(RGB, cv2.COLOR_RGB2GRAY)
ALPHA = np.where(np.arange(SIDE[0]) < 60, 0, 255).astype(np.uint8) * np.ones((SIDE[1], 1), np.uint8)
GLASS = np.where(ALPHA[..., None] > 0, RGB, 255)
Write = Callable[[Path], Any]


def tif(pixels: Any, **options: Any) -> Write:
    return lambda path: tifffile.imwrite(
        path.with_suffix(".tif"), pixels, **({"metadata": None} | options)
    )


def pil(mode: str, suffix: str = ".tif", **options: Any) -> Write:
    return lambda path: Image.fromarray(RGB).convert(mode).save(path.with_suffix(suffix), **options)


def png(pixels: Any) -> Write:
    return lambda path: cv2.imwrite(str(path.with_suffix(".png")), pixels)


def lab(path: Path) -> None:
    profiles = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    turned: Any = ImageCms.applyTransform(
        Image.fromarray(RGB), ImageCms.buildTransform(*profiles, "RGB", "LAB")
    )
    turned.save(path.with_suffix(".tif"))


def palette(path: Path) -> None:
    colours = np.unique(RGB[:, :2].reshape(-1, 3), axis=0)
    table = np.zeros((3, 256), np.uint16)
    table[:, : len(colours)] = colours.T[:, :256].astype(np.uint16) * 257
    index = (np.arange(SIDE[0] * SIDE[1]) % len(colours)).reshape(SIDE[1], SIDE[0]).astype(np.uint8)
    tifffile.imwrite(
        path.with_suffix(".tif"), index, photometric="palette", colormap=table, metadata=None
    )
    Image.fromarray(colours[index]).save(path.with_name("expected.png"))


def read(folder: Path, write: Write) -> Pixels:
    write(folder / "a")
    (path,) = (p for p in folder.iterdir() if p.name.startswith("a."))
    image = open_image(path)
    return image.read(0, 0, 0, *image.size)


def deep(pixels: Pixels, top: int) -> Any:
    return np.round(pixels.astype(float) / 255 * top).astype(np.uint16)


def planes(pixels: Pixels) -> Pixels:
    return np.ascontiguousarray(pixels.transpose(2, 0, 1))


def with_alpha(pixels: Pixels) -> Pixels:
    return np.dstack([pixels, ALPHA])


WHITE = "miniswhite"
DEEP = deep(RGB, 65535)
WIDE = [(341, "H", 1, 4095, True)]
SAME: dict[str, tuple[Write, Pixels, float]] = {
    "cmyk": (pil("CMYK"), RGB, 0.5),
    "cmyk deflated": (pil("CMYK", compression="tiff_deflate"), RGB, 0.5),
    "cmyk jpeg": (pil("CMYK", ".jpg", quality=100, subsampling=0), RGB, 3),
    "ycbcr": (pil("YCbCr"), RGB, 1.5),
    "ycbcr jpeg": (pil("YCbCr", compression="jpeg", quality=95), RGB, 6),
    "lab": (lab, RGB, 1.5),
    "planar": (tif(planes(RGB), photometric="rgb", planarconfig="separate"), RGB, 0),
    "planar tiles": (
        tif(planes(RGB), photometric="rgb", planarconfig="separate", tile=(32, 48)),
        RGB,
        0,
    ),
    "white is zero": (tif(255 - GREY, photometric=WHITE), GREY, 0),
    "white is zero, 16 bits": (tif(65535 - deep(GREY, 65535), photometric=WHITE), GREY, 0),
    "bilevel": (tif(GREY > 128), np.where(GREY > 128, 0, 255), 0),
    "bilevel, black is zero": (
        pil("1"),
        np.asarray(Image.fromarray(RGB).convert("1")).astype(np.uint8) * 255,
        0,
    ),
    "16 bits": (tif(DEEP, photometric="rgb"), RGB, 0),
    "16 bits, planar": (tif(planes(DEEP), photometric="rgb", planarconfig="separate"), RGB, 0),
    "16 bits, png": (png(DEEP[..., ::-1]), RGB, 0),
    "16 bits, grey png": (png(deep(GREY, 65535)), GREY, 0),
    "12 bits packed": (tif(deep(RGB, 4095), photometric="rgb", bitspersample=12), RGB, 0),
    "12 bits in 16, told": (
        tif(deep(GREY, 4095), photometric="minisblack", extratags=WIDE),
        GREY,
        0,
    ),
    "alpha": (tif(with_alpha(RGB), photometric="rgb", extrasamples=["unassalpha"]), GLASS, 0),
    "alpha, black beneath": (
        tif(with_alpha(GLASS * (ALPHA[..., None] > 0)), photometric="rgb"),
        GLASS,
        0,
    ),
    "alpha, premultiplied": (
        tif(
            with_alpha(RGB * (ALPHA[..., None] > 0)), photometric="rgb", extrasamples=["assocalpha"]
        ),
        GLASS,
        0,
    ),
    "alpha, planar": (
        tif(
            planes(with_alpha(RGB)),
            photometric="rgb",
            planarconfig="separate",
            extrasamples=["unassalpha"],
        ),
        GLASS,
        0,
    ),
    "alpha, png": (png(with_alpha(RGB[..., ::-1])), GLASS, 0),
    "alpha, 16 bits png": (png(deep(with_alpha(RGB[..., ::-1]), 65535)), GLASS, 0),
    "alpha, grey tif": (
        tif(
            np.dstack([GREY, ALPHA]),
            photometric="minisblack",
            planarconfig="contig",
            extrasamples=["unassalpha"],
        ),
        np.where(ALPHA > 0, GREY, 255),
        0,
    ),
    "alpha, grey png": (
        lambda path: Image.fromarray(np.dstack([GREY, ALPHA])).save(path.with_suffix(".png")),
        np.where(ALPHA > 0, GREY, 255),
        0,
    ),
    "unused fourth sample": (
        tif(np.dstack([RGB, GREY * 0]), photometric="rgb", extrasamples=["unspecified"]),
        RGB,
        0,
    ),
    "tif called jpg": (
        lambda path: tifffile.imwrite(path.with_suffix(".jpg"), RGB, photometric="rgb"),
        RGB,
        0,
    ),
}


@pytest.mark.parametrize("kind", SAME)
def test_is_the_same_picture(tmp_path: Path, kind: str) -> None:
    write, expected, tolerance = SAME[kind]
    expected = np.repeat(expected[..., None], 3, axis=2) if expected.ndim == 2 else expected
    found = read(tmp_path, write)
    assert found.dtype == np.uint8 and found.shape == expected.shape
    assert np.abs(found.astype(int) - expected).mean() <= tolerance


def test_indexed_colours_are_looked_up(tmp_path: Path) -> None:
    found = read(tmp_path, palette)
    np.testing.assert_array_equal(found, np.asarray(Image.open(tmp_path / "expected.png")))


@pytest.mark.parametrize("n_colours", [200, 256, 341])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_table_of_any_length(tmp_path: Path, n_colours: int, dtype: Any) -> None:
    """A damaged file may have more colours than its samples can name, or fewer."""
    index = np.arange(250, dtype=dtype).reshape(10, 25)
    colours = np.random.default_rng(0).integers(0, 256, (n_colours, 3), dtype=np.uint8)
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, index, photometric="palette", colormap=_table(dtype), metadata=None)
    with tifffile.TiffFile(path, mode="r+b") as file:
        tag = file.pages[0].tags["ColorMap"]  # type: ignore[union-attr]
        tag.overwrite(colours.T.astype(np.uint16).ravel() * 257)
    found = open_image(path).read(0, 0, 0, 25, 10)
    np.testing.assert_array_equal(found, colours[np.minimum(index.astype(int), n_colours - 1)])


def _table(dtype: Any) -> NDArray[np.uint16]:
    return np.zeros((3, 2 ** (8 * np.dtype(dtype).itemsize)), np.uint16)


def test_transparent_png_palette_is_glass(tmp_path: Path) -> None:
    indexed = Image.fromarray((ALPHA > 0).astype(np.uint8), "P")
    indexed.putpalette([0, 0, 0, 200, 40, 90] + [0] * 762)
    found = read(tmp_path, lambda path: indexed.save(path.with_suffix(".png"), transparency=0))
    assert (found[:, :60] == 255).all() and (found[:, 60:] == (200, 40, 90)).all()


def stack(axes: str, shape: tuple[int, ...], **options: Any) -> Write:
    return tif(np.zeros(shape, np.uint8), metadata={"axes": axes}, **options)


def scenes(*sizes: tuple[int, int]) -> Write:
    def write(path: Path) -> None:
        with tifffile.TiffWriter(path.with_suffix(".tif")) as file:
            for width, height in sizes:
                file.write(cv2.resize(RGB, (width, height)), photometric="rgb", metadata=None)

    return write


def ome(path: Path) -> None:
    tifffile.imwrite(
        path.with_suffix(".ome.tif"), np.zeros((3, 64, 64), np.uint8), metadata={"axes": "CYX"}
    )


REFUSED: dict[str, tuple[Write, str]] = {
    "12 bits in 16": (tif(deep(RGB, 4095), photometric="rgb"), "are they 12 bits in 16"),
    "12 bits in 16, png": (png(deep(RGB, 4095)), "are they 12 bits in 16"),
    "dark 16 bits": (tif(deep(GREY, 1000)), "no sample is above"),
    "signed": (
        tif(RGB.astype(np.int8), photometric="rgb"),
        "expected 8-bit RGB or grey, found int8",
    ),
    "float": (tif(GREY / np.float32(255)), "expected 8-bit RGB or grey, found float32"),
    "32 bits": (tif(GREY.astype(np.uint32)), "expected 8-bit RGB or grey, found uint32"),
    "five channels": (
        stack("YXC", (64, 64, 5), photometric="minisblack", planarconfig="contig"),
        "found channels",
    ),
    "three grey channels": (
        stack("YXC", (64, 64, 3), photometric="minisblack", planarconfig="contig"),
        "channels",
    ),
    "channel pages": (stack("CYX", (3, 64, 64), photometric="minisblack"), "channels"),
    "OME channels": (ome, "channels"),
    "ImageJ channels": (stack("CYX", (4, 64, 64), imagej=True), "channels"),
    "Z-stack": (stack("ZYXS", (5, 64, 64, 3), photometric="rgb"), "Z-stack"),
    "time": (stack("TYXS", (5, 64, 64, 3), photometric="rgb"), "time series"),
    "pages": (tif(np.zeros((4, 64, 64, 3), np.uint8), photometric="rgb"), "pages"),
    "two scenes": (scenes((100, 80), (80, 100)), "several scenes"),
    "varying fourth sample": (
        tif(with_alpha(RGB), photometric="rgb", extrasamples=["unspecified"]),
        "transparency",
    ),
    "two further samples": (
        tif(
            np.dstack([with_alpha(RGB), ALPHA]),
            photometric="rgb",
            extrasamples=["unassalpha", "unspecified"],
        ),
        "channels",
    ),
    "cmyk with a profile": (pil("CMYK", icc_profile=b"any"), "colour profile"),
    "cmyk jpeg with a profile": (pil("CMYK", ".jpg", icc_profile=b"any"), "colour profile"),
    "cmyk in lossy tiles": (pil("CMYK", compression="jpeg"), "not clear"),
    "animation": (
        lambda path: Image.fromarray(RGB).save(
            path.with_suffix(".png"), save_all=True, append_images=[Image.fromarray(255 - RGB)]
        ),
        "animation",
    ),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_is_refused_in_words(tmp_path: Path, kind: str) -> None:
    write, words = REFUSED[kind]
    with pytest.raises(InputError, match=words) as error:
        read(tmp_path, write)
    assert str(tmp_path) in str(error.value) and "whole" not in str(error.value)


@pytest.mark.parametrize(
    "first", [(30, 25), (50, 12), (10, 40)], ids=["thumbnail", "macro", "label"]
)
def test_an_overview_as_first_page_is_passed_over(tmp_path: Path, first: tuple[int, int]) -> None:
    assert read(tmp_path, scenes(first, SIDE)).shape == (SIDE[1], SIDE[0], 3)


@pytest.mark.parametrize("order", [(0, 1, 2), (1, 0, 2), (2, 1, 0)])
def test_ome_images_of_any_order(tmp_path: Path, order: tuple[int, ...]) -> None:
    """The slide has its own pixel size; label and macro have others."""
    pictures = [(RGB, 0.5), (RGB[:20, :30], 40.0), (RGB[:10, :50], 20.0)]
    with tifffile.TiffWriter(tmp_path / "a.ome.tif") as file:
        for pixels, size in [pictures[i] for i in order]:
            facts = {"axes": "YXS", "PhysicalSizeX": size, "PhysicalSizeY": size}
            file.write(pixels, photometric="rgb", metadata=facts)
    image = open_image(tmp_path / "a.ome.tif")
    assert image.size == SIDE and image.mpp == 0.5


@pytest.mark.parametrize("suffix", [".tif", ".jpg", ".png"])
@pytest.mark.parametrize("orientation", [1, 6])
def test_a_picture_to_be_turned_is_told(
    tmp_path: Path, suffix: str, orientation: int, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / f"a{suffix}"
    exif = Image.Exif()
    exif[274] = orientation
    if suffix == ".tif":
        tifffile.imwrite(
            path,
            RGB,
            photometric="rgb",
            metadata=None,
            extratags=[(274, "H", 1, orientation, True)],
        )
    else:
        Image.fromarray(RGB).save(path, exif=exif)
    assert open_image(path).size == SIDE
    assert ("asks viewers to turn" in caplog.text) == (orientation == 6)
