"""What a file declares is looked at before memory is taken, and a mutated file ends in words."""

import struct
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from builders import picture
from builders.mutations import N_MUTATIONS, mutated
from PIL import Image

from hespotex.common.errors import InputError
from hespotex.sections.images import image_facts, open_image

HUGE = 2**32 - 1
BOMB_BYTES = 64 << 20  # more than any of these may take
RGB = picture(96, 80)


def tif(tag: str, value: int, **options: object) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        path = folder / "a.tif"
        tifffile.imwrite(path, RGB, photometric="rgb", metadata=None, **options)  # type: ignore[arg-type]
        with tifffile.TiffFile(path, mode="r+b") as file:
            entry = file.pages[0].tags[tag]  # type: ignore[union-attr]
            entry.overwrite(value, dtype=4 if value > 65535 else None)
        return path

    return write


def png(width: int, height: int) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
        chunks = [(b"IHDR", head), (b"IDAT", zlib.compress(bytes(1000))), (b"IEND", b"")]
        body = b"".join(
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
            for name, data in chunks
        )
        (folder / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + body)
        return folder / "a.png"

    return write


def jpeg(width: int, height: int) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        Image.fromarray(RGB).save(folder / "a.jpg")
        data = bytearray((folder / "a.jpg").read_bytes())
        at = data.index(b"\xff\xc0")
        data[at + 5 : at + 9] = struct.pack(">HH", height, width)
        (folder / "a.jpg").write_bytes(bytes(data))
        return folder / "a.jpg"

    return write


def bmp(width: int, height: int) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        Image.fromarray(RGB).save(folder / "a.bmp")
        data = bytearray((folder / "a.bmp").read_bytes())
        data[18:26] = struct.pack("<ii", width, height)
        (folder / "a.bmp").write_bytes(bytes(data))
        return folder / "a.bmp"

    return write


BOMBS = {
    "width": tif("ImageWidth", HUGE, tile=(32, 32)),
    "height": tif("ImageLength", HUGE, tile=(32, 32)),
    "no width": tif("ImageWidth", 0),
    "height of one strip": tif("ImageLength", 60_000, rowsperstrip=80),
    "too few offsets": tif("ImageLength", 640, tile=(32, 32)),
    "tile width": tif("TileWidth", 1 << 28, tile=(32, 32)),
    "tile length": tif("TileLength", 1 << 24, tile=(32, 32), compression="deflate"),
    "png": png(HUGE >> 1, HUGE >> 1),
    "smaller png": png(20_000, 20_000),
    "jpeg": jpeg(65_000, 65_000),
    "smaller jpeg": jpeg(12_000, 12_000),
    "bmp": bmp(2**31 - 1, 2**30),
    "smaller bmp": bmp(20_000, 20_000),
}


@pytest.mark.parametrize("kind", BOMBS)
def test_sizes_beyond_reason_are_refused_from_the_header(tmp_path: Path, kind: str) -> None:
    path = BOMBS[kind](tmp_path)
    tracemalloc.start()
    try:
        with pytest.raises(InputError, match=r"a\.\w+"):
            open_image(path)
        with pytest.raises(InputError, match=r"a\.\w+"):
            image_facts(path)
        assert tracemalloc.get_traced_memory()[1] < BOMB_BYTES
    finally:
        tracemalloc.stop()


def test_a_jpeg_tile_may_not_declare_more_than_its_tile(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, RGB, photometric="rgb", tile=(96, 96), compression="jpeg", metadata=None)
    data = bytearray(path.read_bytes())
    at = data.index(b"\xff\xc0")
    data[at + 5 : at + 9] = struct.pack(">HH", 60_000, 60_000)
    path.write_bytes(bytes(data))
    with pytest.raises(InputError, match="declares 60000 x 60000 px"):
        open_image(path).read(0, 0, 0, 10, 10)


def test_a_byte_count_beyond_the_file_takes_no_memory(tmp_path: Path) -> None:
    path = tif("StripByteCounts", 2**31, rowsperstrip=80)(tmp_path)
    with pytest.raises(InputError, match="whole"):
        open_image(path).read(0, 0, 0, 10, 10)


FORMATS = ["tif", "tiled.tif", "jpeg.tif", "palette.tif", "png", "jpg", "bmp", "ome.tif"]


def sound(folder: Path, kind: str) -> Path:
    path = folder / f"a.{kind}"
    if kind == "palette.tif":
        Image.fromarray(RGB).quantize(64).save(path)
    elif kind.endswith("tif"):
        tiles = (
            {}
            if kind == "tif"
            else {"tile": (32, 32), "compression": "jpeg" if kind == "jpeg.tif" else "deflate"}
        )
        tifffile.imwrite(path, RGB, photometric="rgb", **tiles)
    else:
        Image.fromarray(RGB).save(path)
    return path


@pytest.mark.parametrize("kind", FORMATS)
def test_a_mutated_image_is_read_or_refused(tmp_path: Path, kind: str) -> None:
    path = sound(tmp_path, kind)
    data = path.read_bytes()
    rng = np.random.default_rng(len(kind))
    for number in range(N_MUTATIONS):
        broken = path.with_name(f"{number}.{kind}")
        broken.write_bytes(mutated(data, rng))
        try:
            image = open_image(broken)
            region = image.read(
                len(image.downsamples) - 1, 0, 0, min(40, image.size[0]), min(40, image.size[1])
            )
            assert region.ndim == 3
        except InputError as error:
            assert str(broken) in str(error)
        broken.unlink()
