"""Patches: squares of stated physical size around the spots of a section."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import cv2
import h5py
import numpy as np
from numpy.typing import NDArray

from hespotex.data.images import RegionReader, open_image
from hespotex.data.images.region import best_level, read_padded
from hespotex.data.section import Section, check_spots
from hespotex.errors import InputError

STORED_UM = {256: 128.0}  # older releases of HEST-1k; 112 um otherwise

Patches = NDArray[np.uint8]  # (n, px, px, 3) RGB


@dataclass(frozen=True)
class PatchSpec:
    """What an encoder asks for: a square of `um` micrometres, given as `px` x `px` pixels.

    `cut`: "padded" takes the square around the exact centre, mirrored beyond the border; "published" an even number
    of px around the rounded centre, cut off at the border and then stretched, as released.
    """

    um: float
    px: int
    cut: str = "padded"

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def mpp(self) -> float:
        """Pixel size (um per px) of the patch as the encoder sees it."""
        return self.um / self.px


@dataclass(frozen=True)
class PatchSize:
    """The same square in three rulers: px wanted, px at the pyramid level read, px at level 0."""

    wanted_px: int
    level: int
    level_px: int
    level0_px: float


def patch_size(spec: PatchSpec, mpp: float, image: RegionReader) -> PatchSize:
    """Where and how large to read in an image of `mpp` um per level-0 px."""
    level0_px = spec.um / mpp
    level = best_level(image, level0_px / spec.px)
    return PatchSize(spec.px, level, max(1, round(level0_px / image.downsamples[level])), level0_px)


def cut_patch(image: RegionReader, size: PatchSize, x: float, y: float) -> NDArray[np.uint8]:
    """The patch centred on (x, y) level-0 px as RGB (px, px, 3); mirrored beyond the image border."""
    scale = image.downsamples[size.level]
    left, top = round(x / scale - size.level_px / 2), round(y / scale - size.level_px / 2)
    return resize(read_padded(image, size.level, left, top, size.level_px, size.level_px), size.wanted_px)


def published_box(x: float, y: float, diameter_px: float, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of the released patch: half the diameter, floored, around the integer centre."""
    half, column, row = int(diameter_px // 2), int(x), int(y)
    return max(column - half, 0), max(row - half, 0), min(column + half, size[0]), min(row + half, size[1])


def published_patch(image: RegionReader, x: float, y: float, diameter_px: float, px: int) -> NDArray[np.uint8]:
    """The patch as released, (px, px, 3)."""
    left, top, right, bottom = published_box(x, y, diameter_px, image.size)
    return resize(image.read(0, left, top, right - left, bottom - top), px)


def resize(patch: NDArray[np.uint8], px: int) -> NDArray[np.uint8]:
    """Square resize: area averaging when it shrinks, cubic when it grows."""
    if patch.shape[:2] == (px, px):
        return patch
    method = cv2.INTER_AREA if min(patch.shape[:2]) > px else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(patch, (px, px), interpolation=method), dtype=np.uint8)


def iterate_patches(section: Section, spec: PatchSpec, batch_size: int) -> Iterator[tuple[NDArray[np.int64], Patches]]:
    """Yield (spot numbers (n,), RGB patches (n, px, px, 3)) until every spot was given once, ordered for the disk."""
    if section.image is None:
        yield from _stored_patches(section, spec, batch_size)
        return
    image = open_image(section.image)
    check_spots(section, *image.size)
    size, pos = patch_size(spec, section.mpp, image), section.pos_px
    order = np.lexsort((pos[:, 0], pos[:, 1] // 512))  # by bands of tile rows: neighbours share decoded tiles
    for start in range(0, len(order), batch_size):
        spots = order[start : start + batch_size]
        if spec.cut == "published":
            yield spots, np.stack([published_patch(image, x, y, size.level0_px, spec.px) for x, y in pos[spots]])
        else:
            yield spots, np.stack([cut_patch(image, size, x, y) for x, y in pos[spots]])


def _stored_patches(section: Section, spec: PatchSpec, batch_size: int) -> Iterator[tuple[NDArray[np.int64], Patches]]:
    """HEST's own patches (112 um; 128 um at 256 px): the centre is cut out for a smaller size, a larger one cannot be had."""
    with h5py.File(section.pixels) as file:
        side = file["img"].shape[1]
        stored_um = STORED_UM.get(side, 112.0)
        if spec.um > stored_um:
            raise InputError(
                f"{section.section_id}: patches of {spec.um:g} um are wanted, but {section.patches} holds {stored_um:g} um; "
                f"set encoder.patch_um=[{stored_um:g}] (for nuclei: nuclei.counter.count_um={stored_um:g}), or download the "
                "image to wsis/"
            )
        row = {name: i for i, name in enumerate(stored_barcodes(file))}
        rows = np.array([row[barcode] for barcode in section.barcodes])
        keep = max(1, round(side * spec.um / stored_um))
        margin = (side - keep) // 2
        order = np.argsort(rows)
        for start in range(0, len(order), batch_size):
            spots = order[start : start + batch_size]
            stored = file["img"][rows[spots]][:, margin : margin + keep, margin : margin + keep]
            yield spots, np.stack([resize(patch, spec.px) for patch in stored])


def stored_barcodes(file: h5py.File) -> list[str]:
    """Barcodes of a HEST patches file, in its row order."""
    return [value.decode() if isinstance(value, bytes) else str(value) for value in np.asarray(file["barcode"]).ravel()]
