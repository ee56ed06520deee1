"""Patches of a section in any order, from its image or from HEST's stored patches; safe to share
between threads.
"""

from collections.abc import Iterator
from typing import Protocol

import h5py
import numpy as np
from numpy.typing import NDArray

from hespotex.common.errors import InputError
from hespotex.common.hdf5 import open_hdf5
from hespotex.sections.ids import check_unique, plain_id
from hespotex.sections.images import open_image
from hespotex.sections.patches import (
    Patches,
    PatchSpec,
    cut_patch,
    patch_size,
    published_patch,
    resize,
)
from hespotex.sections.section import Section, check_spots

STORED_UM = {256: 128.0}  # older releases of HEST-1k; 112 um otherwise
BAND_PX = 512  # height of a band of spots, of the order of a tile
Spots = NDArray[np.int64]


class PatchReader(Protocol):
    """`order`: all spots (n_spots,) in the order that is cheapest to read."""

    order: Spots

    def __call__(self, spots: Spots) -> Patches:
        """RGB patches (n, px, px, 3) of these spots, which follow each other in `order`."""
        ...


def patch_reader(section: Section, spec: PatchSpec) -> PatchReader:
    """Reader of the patches of a section.

    Raises:
        InputError: spots outside the image, or patches larger than the stored ones.
    """
    return ImagePatches(section, spec) if section.image else StoredPatches(section, spec)


class ImagePatches:
    """Cut out of the image, by bands: neighbours share decoded tiles."""

    def __init__(self, section: Section, spec: PatchSpec) -> None:
        self.image = open_image(section.pixels)
        self.spec = spec
        self.pos = section.pos_px
        check_spots(section, *self.image.size)
        self.size = patch_size(spec, section.mpp, self.image)
        self.order = np.lexsort((self.pos[:, 0], self.pos[:, 1] // BAND_PX))

    def __call__(self, spots: Spots) -> Patches:
        """RGB patches (n, px, px, 3), cut and resized one by one."""
        if self.spec.cut == "published":
            side = self.size.level0_px
            px = self.spec.px
            return np.stack(
                [published_patch(self.image, x, y, side, px) for x, y in self.pos[spots]]
            )
        return np.stack([cut_patch(self.image, self.size, x, y) for x, y in self.pos[spots]])


class StoredPatches:
    """HEST's own patches (112 um; 128 um at 256 px): the centre is cut out for a smaller size, a
    larger one cannot be had.
    """

    def __init__(self, section: Section, spec: PatchSpec) -> None:
        self.path = section.pixels
        self.spec = spec
        with open_hdf5(self.path, in_parts=True) as file:
            side = file["img"].shape[1]
            row = {name: i for i, name in enumerate(stored_barcodes(file))}
        stored_um = STORED_UM.get(side, 112.0)
        if spec.um > stored_um:
            raise InputError(
                f"{section.section_id}: patches of {spec.um:g} um are wanted, but {section.patches}"
                f" holds {stored_um:g} um; set encoder.patch_um=[{stored_um:g}] (for nuclei:"
                f" nuclei.counter.count_um={stored_um:g}), or download the image to wsis/"
            )
        self.rows = np.array([row[barcode] for barcode in section.barcodes])
        self.order = np.argsort(self.rows)
        keep = max(1, round(side * spec.um / stored_um))
        self.inside = slice((side - keep) // 2, (side - keep) // 2 + keep)

    def __call__(self, spots: Spots) -> Patches:
        """RGB patches (n, px, px, 3): the middle of the stored ones, resized."""
        with open_hdf5(self.path, in_parts=True) as file:
            stored = file["img"][self.rows[spots]][:, self.inside, self.inside]
        return np.stack([resize(patch, self.spec.px) for patch in stored])


def iterate_patches(
    section: Section, spec: PatchSpec, batch_size: int
) -> Iterator[tuple[Spots, Patches]]:
    """Yield (spot numbers (n,), RGB patches (n, px, px, 3)) until every spot was given once."""
    reader = patch_reader(section, spec)
    for spots in batches(reader.order, batch_size):
        yield spots, reader(spots)


def batches(order: Spots, size: int) -> list[Spots]:
    """Consecutive pieces of at most `size` spots."""
    return [order[start : start + size] for start in range(0, len(order), size)]


def stored_barcodes(file: h5py.File) -> list[str]:
    """Barcodes of a HEST patches file, in its row order, one a patch.

    Raises:
        InputError: barcodes named twice, or not as many as patches.
    """
    names = [plain_id(value) for value in np.asarray(file["barcode"]).ravel()]
    if len(names) != len(file["img"]):
        raise InputError(
            f"{file.filename}: {len(file['img'])} patches, but {len(names)} barcodes; is the file"
            " whole?"
        )
    check_unique(names, f"barcodes of {file.filename}", "each patch needs a barcode of its own")
    return names
