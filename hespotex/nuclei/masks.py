"""Label masks: integer images in which 0 is background and every nucleus has a number of its
own.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hespotex.common.errors import InputError, full_cause
from hespotex.common.loading import CODE, load_array
from hespotex.nuclei.files import FileNuclei
from hespotex.nuclei.table import NucleiTable, nuclei_table
from hespotex.sections.images import image_facts
from hespotex.sections.images.colour_spaces import JPEG, WHITE_IS_ZERO
from hespotex.sections.images.tiff_file import open_tiff
from hespotex.sections.section import Section

SAVE_MASKS = (
    "python -c \"import numpy as np; np.save('masks.npy', np.load('{path}',"
    " allow_pickle=True).item()['masks'])\""
)
MOST_PNG_PX = 1 << 30
BAND_PX = 4 << 20  # looked at together
Block = tuple[NDArray[Any], int, int]  # labels (rows, columns), and the place of the first: x, y


class LabelMaskNuclei(FileNuclei):
    """Masks with the pixels of the image: NumPy arrays, read from the disk in bands, TIFF, read by
    tile or strip, or PNG.
    """

    name = "label-mask"
    patterns = (
        "ID.npy",
        "ID_mask.tif",
        "ID.tif",
        "ID.tiff",
        "ID_cp_masks.tif",
        "ID_cp_masks.png",
        "ID.png",
    )

    def read(self, path: Path, section: Section) -> NucleiTable:
        """One nucleus for each number of the mask, with its centre of mass and area.

        Raises:
            InputError: not a label mask of the image's size, or one number all over.
        """
        table = measure_labels(self._blocks(path, section), section.mpp)
        if len(table) == 1:
            raise InputError(
                f"{path}: all of the mask has one number; expected a number for each nucleus, 0"
                " elsewhere"
            )
        return table

    def _blocks(self, path: Path, section: Section) -> Iterator[Block]:
        if path.suffix == ".npy":
            mask = open_npy(path)
            check_size(section, mask.shape, path)
            yield from _bands(mask)
        elif path.suffix == ".png":
            mask = _open_png(path)
            check_size(section, mask.shape, path)
            yield from _bands(mask)
        else:
            yield from _tiff_blocks(path, section)


def open_npy(path: Path) -> NDArray[np.int32]:
    """A mask saved by NumPy, memory-mapped: (height, width)."""
    try:
        mask: NDArray[np.int32] = load_array(path, mapped=True)
    except InputError as error:
        if CODE not in str(error):
            raise
        raise InputError(
            f"{error}. Is it Cellpose's _seg.npy? If you trust it: {SAVE_MASKS.format(path=path)}"
        ) from error
    check_labels(mask.shape, mask.dtype, path)
    return mask


def _open_png(path: Path) -> NDArray[np.int32]:
    """A mask of one channel, or the indices of an indexed one: (height, width)."""
    try:
        with Image.open(path, formats=("PNG",)) as file:
            width, height = file.size
            if width * height > MOST_PNG_PX:
                raise InputError(
                    f"{path}: {width} x {height} px are too many for a PNG; save the mask as TIFF"
                )
            mask = np.asarray(file)
    except InputError:
        raise
    except Exception as error:  # Pillow has many
        raise InputError(
            f"{path}: cannot be read as a mask ({full_cause(error)}); is the file whole?"
        ) from error
    check_labels(mask.shape, mask.dtype, path)
    return np.asarray(mask)


def check_labels(shape: tuple[int, ...], dtype: Any, path: Path) -> None:
    """Refuse what is no label mask."""
    if len(shape) != 2 or not np.issubdtype(dtype, np.integer):
        raise InputError(f"{path}: expected a 2-D integer label mask, found {dtype} {shape}")


def check_size(section: Section, shape: tuple[int, ...], path: Path) -> None:
    """Refuse a mask of other pixels than the image's."""
    if section.image is not None and image_facts(section.image)[0] != (shape[1], shape[0]):
        width, height = image_facts(section.image)[0]
        raise InputError(
            f"{path}: the mask has {shape[1]} x {shape[0]} px, the image of {section.section_id}"
            f" {width} x {height}; expected one label per pixel of full resolution"
        )


def measure_labels(blocks: Iterable[Block], mpp: float) -> NucleiTable:
    """Centroids and areas of the labels above 0, however they are spread over the blocks; ordered
    by label.
    """
    block_sums = [_sums(*block) for block in blocks]
    labels, n, x, y = (
        (np.concatenate(column) for column in zip(*block_sums, strict=True))
        if block_sums
        else np.zeros((4, 0))
    )
    unique, row = np.unique(labels, return_inverse=True)
    area, sum_x, sum_y = (np.bincount(row, weights, len(unique)) for weights in (n, x, y))
    # the middle of the first pixel is at 0.5
    centroids = np.stack([sum_x, sum_y], axis=1) / area[:, None] + 0.5
    return nuclei_table(centroids, np.asarray(area * mpp**2, dtype=np.float64))


def _sums(labels: NDArray[Any], left: int, top: int) -> tuple[NDArray[Any], ...]:
    """Labels of a block, and of each its number of pixels and the sums of their x and y."""
    y, x = np.nonzero(labels > 0)
    unique, row = np.unique(labels[y, x], return_inverse=True)
    return unique, *(
        np.bincount(row, weights, len(unique)) for weights in (np.ones(len(x)), x + left, y + top)
    )


def _bands(mask: NDArray[Any]) -> Iterator[Block]:
    rows = max(BAND_PX // mask.shape[1], 1)
    for top in range(0, mask.shape[0], rows):
        yield np.asarray(mask[top : top + rows]), 0, top


def _check_labels_of(file: Any, page: Any, path: Path) -> None:
    """Refuse a stack, and numbers that do not count up from a background of 0."""
    n_pages = len(file.series[0].levels[0].pages)
    if n_pages > 1:
        raise InputError(f"{path}: expected one picture, found {n_pages} pages")
    if int(page.photometric) == WHITE_IS_ZERO or page.compression in JPEG:
        raise InputError(
            f"{path}: expected labels that count up from 0, found white as zero or JPEG; save it"
            " without loss"
        )


def _tiff_blocks(path: Path, section: Section) -> Iterator[Block]:
    try:
        with open_tiff(path) as file:
            page: Any = file.pages[0]
            check_labels(page.shape, page.dtype, path)
            _check_labels_of(file, page, path)
            check_size(section, page.shape, path)
            for data, (_, _, top, left, _), shape in page.segments():
                if data is not None:  # a tile that was never written holds no nucleus
                    yield np.asarray(data)[0, : shape[1], : shape[2], 0], left, top
    except InputError:
        raise
    except Exception as error:  # tifffile and the codecs each have their own
        raise InputError(
            f"{path}: cannot be read as a mask ({full_cause(error)}); is the file whole?"
        ) from error
