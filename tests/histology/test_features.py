import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from hespotex.histology import FEATURE_NAMES, patch_features
from hespotex.histology.catalogue import FEATURES
from hespotex.histology.features import GROUPS
from hespotex.histology.patch import read_patch

from .drawn import discs, grid_of_centres

MPPS = [0.25, 0.5, 155 / 224, 355 / 224]


def _tissue(mpp: float) -> NDArray[np.uint8]:
    """Discs at irregular places with noise: something of everything."""
    rng = np.random.default_rng(1)
    centres = [
        (x + a, y + b)
        for (x, y), (a, b) in zip(
            grid_of_centres(8, 16.0), rng.uniform(-4, 4, (64, 2)), strict=True
        )
    ]
    image = discs(centres, 3.7, 128.0, mpp)
    grain = rng.normal(0, 6, image.shape[:2])[..., None]
    image = np.clip(image + grain, 0, 255).astype(np.uint8)
    image[: len(image) // 5] = 240
    return image


@pytest.mark.parametrize("mpp", MPPS)
@pytest.mark.parametrize("colour", [(255, 255, 255), (0, 0, 0), (180, 90, 150), (255, 0, 0)])
def test_flat_patches_are_finite(mpp: float, colour: tuple[int, int, int]) -> None:
    features = patch_features(np.full((224, 224, 3), colour, np.uint8), mpp)
    assert features.shape == (len(FEATURE_NAMES),)
    assert features.dtype == np.float32
    assert np.isfinite(features).all()


@pytest.mark.parametrize("side", [1, 2, 7, 60])
@pytest.mark.parametrize("mpp", MPPS)
def test_noise_of_any_size_is_finite(side: int, mpp: float, noise: np.ndarray) -> None:
    assert np.isfinite(patch_features(noise[:side, :side], mpp)).all()


def test_every_name_has_a_value_and_a_meaning() -> None:
    patch = read_patch(_tissue(0.5), 0.5)
    computed = [name for group in GROUPS for name in group(patch)]
    assert sorted(computed) == sorted(FEATURE_NAMES)
    assert len(set(FEATURE_NAMES)) == len(FEATURE_NAMES) == len(FEATURES)
    assert all(FEATURES.values())


@pytest.mark.parametrize("mpp", [0.5, 1.0])
@pytest.mark.parametrize("turn", range(1, 8))
def test_flips_and_quarter_turns_hardly_matter(mpp: float, turn: int) -> None:
    image = _tissue(mpp)
    turned = np.rot90(image, turn % 4)
    turned = np.ascontiguousarray(turned[:, ::-1] if turn >= 4 else turned)
    before = patch_features(image, mpp)
    after = patch_features(turned, mpp)
    # One nucleus more or less, where two seeds tie, moves a statistic of 60 by about so much.
    np.testing.assert_allclose(after, before, atol=0.08, rtol=0.03)


def test_density_follows_the_number_of_nuclei() -> None:
    at = FEATURE_NAMES.index("nuclei_density")
    few, many = (discs(grid_of_centres(n, 112 / n), 3.5, 112.0, 0.5) for n in (3, 8))
    low = patch_features(few, 0.5)[at]
    high = patch_features(many, 0.5)[at]
    assert low == pytest.approx(np.log1p(9 / 0.112**2 / 100), rel=1e-3)
    assert high == pytest.approx(np.log1p(64 / 0.112**2 / 100), rel=1e-3)


def test_lengths_are_physical() -> None:
    """The same tissue at half the pixel size gives nearly the same numbers."""
    coarse = _tissue(0.5)
    fine = cv2.resize(coarse, None, fx=2, fy=2, interpolation=cv2.INTER_NEAREST)
    difference = patch_features(np.asarray(fine, np.uint8), 0.25) - patch_features(coarse, 0.5)
    assert np.abs(difference).max() < 0.02
