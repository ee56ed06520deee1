from typing import Any

import numpy as np
import pytest
from skimage import feature

from hespotex.histology.cooccurrence import PROPERTIES, co_occurrence, properties

UNTYPED: Any = feature  # skimage has no types


@pytest.mark.parametrize("step", [1, 2, 4, 7])
def test_equals_skimage(noise: np.ndarray, step: int) -> None:
    grey = (noise[..., 0] // 32).astype(np.uint8)
    angles = [0, np.pi / 4, np.pi / 2, 3 * np.pi / 4]
    matrix = UNTYPED.graycomatrix
    prop = UNTYPED.graycoprops
    counts = matrix(grey, [step], angles, 8, symmetric=True).sum(axis=3, keepdims=True)
    theirs = counts / counts.sum()
    ours = co_occurrence(grey, 8, step)
    np.testing.assert_allclose(ours, theirs[..., 0, 0])
    for name in PROPERTIES:
        assert properties(ours)[name] == pytest.approx(prop(theirs, name)[0, 0]), name


def test_a_flat_image_and_one_smaller_than_the_step() -> None:
    flat = properties(co_occurrence(np.full((5, 6), 3, np.uint8), 8, 2))
    assert flat == {"contrast": 0.0, "homogeneity": 1.0, "energy": 1.0, "correlation": 1.0}
    assert not co_occurrence(np.zeros((2, 2), np.uint8), 8, 9).any()
