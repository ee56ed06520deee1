"""A patch as a vector of named statistics, ready for linear models.

The same up to rounding for all flips and quarter turns of a patch, and finite for every image.
What each number means stands in `hespotex.histology.catalogue`.
"""

import numpy as np
from numpy.typing import NDArray

from hespotex.histology.catalogue import FEATURES
from hespotex.histology.cells import cell_features
from hespotex.histology.centre import centre_features
from hespotex.histology.colour import colour_features
from hespotex.histology.patch import read_patch
from hespotex.histology.texture import texture_features

FEATURE_NAMES: tuple[str, ...] = tuple(FEATURES)
GROUPS = (colour_features, texture_features, cell_features, centre_features)


def patch_features(rgb: NDArray[np.uint8], mpp: float) -> NDArray[np.float32]:
    """(height, width, 3) RGB at `mpp` um per px -> (n_features,), in order of FEATURE_NAMES."""
    patch = read_patch(rgb, mpp)
    values: dict[str, float] = {}
    for group in GROUPS:
        values.update(group(patch))
    return np.array([values[name] for name in FEATURE_NAMES], dtype=np.float32)
