"""Pages of a TIFF that follow one another in a circle end in words, whoever reads the file."""

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from builders import section

from hespotex.common.errors import InputError
from hespotex.nuclei.masks import LabelMaskNuclei
from hespotex.sections.images import open_image
from hespotex.sections.images.tiff_file import open_tiff
from hespotex.sections.tissue.picture import marked


def circle(path: Path, n_pages: int, back_to: int, bigtiff: bool = False) -> Path:
    """`n_pages` small pictures, of which the last says that page `back_to` comes next."""
    values = np.arange(340 * 340, dtype=np.uint16).reshape(340, 340) % 200
    picture = values.astype(np.uint8)
    with tifffile.TiffWriter(path, bigtiff=bigtiff) as file:
        for _ in range(n_pages):
            file.write(picture, photometric="minisblack", metadata=None, contiguous=False)
    with tifffile.TiffFile(path) as file:
        offsets = [int(page.offset) for page in file.pages]  # type: ignore[union-attr]
        tiff = file.tiff
        n_tags = len(file.pages[n_pages - 1].tags)  # type: ignore[union-attr]
    data = bytearray(path.read_bytes())
    at = offsets[-1] + tiff.tagnosize + n_tags * tiff.tagsize
    data[at : at + tiff.offsetsize] = struct.pack(tiff.offsetformat, offsets[back_to])
    path.write_bytes(bytes(data))
    return path


def labels(path: Path) -> Any:
    source = LabelMaskNuclei(str(path.parent))
    return source.read(path, section())


@pytest.mark.parametrize("read", [open_image, marked, labels, open_tiff])
@pytest.mark.parametrize(("n_pages", "back_to"), [(1, 0), (3, 1), (130, 0)])
def test_a_circle_of_pages(
    tmp_path: Path, read: Callable[[Path], Any], n_pages: int, back_to: int
) -> None:
    path = circle(tmp_path / "a.tif", n_pages, back_to)
    with pytest.raises(InputError, match="its pages follow in a circle") as error:
        read(path)
    assert str(path) in str(error.value)


def test_a_circle_in_a_large_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="its pages follow in a circle"):
        open_tiff(circle(tmp_path / "a.tif", 2, 0, bigtiff=True))


def test_many_pages_are_no_circle(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        for _ in range(120):
            file.write(np.zeros((8, 8), np.uint8), metadata=None, contiguous=False)
    with open_tiff(tmp_path / "a.tif") as found:
        assert len(found.pages) == 120
