"""Nuclei per spot, counted once and cached like an embedding."""

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hespotex.data.patch_reader import iterate_patches
from hespotex.data.patches import Patches, PatchSpec, published_box
from hespotex.data.section import Section
from hespotex.errors import InputError
from hespotex.files import file_fingerprint
from hespotex.histology import detect_nuclei

MARGIN_UM = 8.0  # half a large nucleus: one that the border would cut is seen whole


class HaematoxylinCounter:
    """Counts nuclei whose centre lies within a square around the spot, by the embedded detector.

    Args:
        count_um: side of the square (um).
        mpp: pixel size at which the detector looks (um per px).
    """

    name = "nuclei-haematoxylin"

    def __init__(self, count_um: float = 112.0, mpp: float = 0.5) -> None:
        self.count_um, self.mpp = count_um, mpp

    def identity(self, section: Section) -> dict[str, Any]:
        return {"version": 1, "count_um": self.count_um, "detector_mpp": self.mpp}

    def __call__(self, section: Section) -> NDArray[np.float32]:
        um = self.count_um + 2 * MARGIN_UM
        spec, counts = PatchSpec(um, round(um / self.mpp)), np.zeros(len(section.adata), dtype=np.float32)
        for spots, patches in iterate_patches(section, spec, 64):
            counts[spots] = self._count(patches, spec.mpp)
        return counts

    def _count(self, patches: Patches, mpp: float) -> NDArray[np.float32]:
        low, high = MARGIN_UM / mpp, (MARGIN_UM + self.count_um) / mpp
        found = [detect_nuclei(patch, mpp).centroids for patch in patches]
        return np.array([((xy >= low) & (xy < high)).all(axis=1).sum() for xy in found], dtype=np.float32)


class LabelMaskCounter:
    """The released count: distinct labels of a nuclei mask inside the spot's patch, the background among them.

    Args:
        folder: holds `{section_id}.npy`, an integer mask with the pixels of the image, 0 for background.
    """

    name = "nuclei-label-mask"

    def __init__(self, folder: str) -> None:
        self.folder = Path(folder)

    def identity(self, section: Section) -> dict[str, Any]:
        return {"mask": file_fingerprint(self._path(section)), "spot_diameter_um": section.spot_diameter_um}

    def __call__(self, section: Section) -> NDArray[np.float32]:
        mask = _open_mask(self._path(section))
        diameter, size = section.spot_diameter_um / section.mpp, (mask.shape[1], mask.shape[0])
        boxes = [published_box(x, y, diameter, size) for x, y in section.pos_px]
        return np.array([len(np.unique(mask[top:bottom, left:right])) for left, top, right, bottom in boxes], dtype=np.float32)

    def _path(self, section: Section) -> Path:
        path = self.folder / f"{section.section_id}.npy"
        if not path.is_file():
            raise InputError(f"nuclei mask not found: {path}; set nuclei.counter.folder, or nuclei=haematoxylin")
        return path


@lru_cache(maxsize=1)
def _open_mask(path: Path) -> NDArray[np.int32]:
    """The mask, memory-mapped."""
    mask: NDArray[np.int32] = np.load(path, mmap_mode="r")
    if mask.ndim != 2 or not np.issubdtype(mask.dtype, np.integer):
        raise InputError(f"{path}: expected a 2-D integer label mask, found {mask.dtype} {mask.shape}")
    return mask
