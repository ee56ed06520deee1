"""The centre of a patch, where the spot itself lies.

No differences to the rim: the whole patch has the same quantities, so a linear model has those.
"""

from functools import lru_cache

import numpy as np

from hespotex.histology.cells import density_per_mm2
from hespotex.histology.patch import Floats, Mask, Patch, mean_where, ratio

# A disc of half the side, as wide as a 100 um spot in a patch of 200 um.
CENTRE_DIAMETER = 0.5


def centre_features(patch: Patch) -> dict[str, float]:
    """Key quantities in the central disc; see the catalogue."""
    centre = _disc(patch.white.shape)
    maps: dict[str, Floats] = {
        "h": patch.haematoxylin,
        "e": patch.eosin,
        "saturation": patch.saturation.astype(np.float32) / np.float32(255),
        "white": patch.white.astype(np.float32),
        "nuclear": patch.nuclear.astype(np.float32),
        "blood": patch.red_cells.astype(np.float32),
    }
    means = {f"centre_{name}": mean_where(values, centre) for name, values in maps.items()}
    return {**means, **_nuclei(patch, centre)}


@lru_cache(maxsize=4)  # patches of a section are of one size
def _disc(shape: tuple[int, ...]) -> Mask:
    height, width = shape
    rows = np.arange(height)[:, None] - (height - 1) / 2
    columns = np.arange(width)[None, :] - (width - 1) / 2
    return np.asarray(np.hypot(rows, columns) <= CENTRE_DIAMETER / 2 * min(height, width))


def _nuclei(patch: Patch, centre: Mask) -> dict[str, float]:
    place = np.rint(patch.nuclei.centroids).astype(np.intp)
    inside = centre[place[:, 1], place[:, 0]]
    area_mm2 = float(centre.sum()) * patch.mpp**2 / 1e6
    size: Floats = np.log(np.maximum(patch.nuclei.area_um2, 1))
    return {
        "centre_density": density_per_mm2(int(inside.sum()), area_mm2),
        "centre_area": ratio(float(size[inside].sum()), float(inside.sum())),
    }
