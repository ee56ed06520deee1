"""Random streams: one independent numpy Generator per purpose and index, all from one seed."""

from typing import Literal, get_args

import numpy as np

Purpose = Literal["genes", "patient", "layout", "nuclei", "image", "counts", "batch"]

# Index of the patient and section that have no expression; far from any real one so that
# the number of patients never changes the image.
BARE_INDEX = 1_000_000


def stream(seed: int, purpose: Purpose, index: int = 0) -> np.random.Generator:
    """Return the generator of one purpose (for example the nuclei of section `index`)."""
    key = (get_args(Purpose).index(purpose), index)
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))
