import numpy as np
import pytest
from skimage.color import rgb2hed

from hespotex.histology.stain import haematoxylin_density, optical_density, stain_density

from .drawn import paint


@pytest.mark.parametrize(("h", "e"), [(0.5, 0.0), (0.0, 0.4), (0.4, 0.3)])
def test_pure_stains_give_their_density_back(h: float, e: float) -> None:
    density = stain_density(paint(np.full((4, 5), h), np.full((4, 5), e)))
    assert density.shape == (4, 5, 2)
    assert density.dtype == np.float32
    np.testing.assert_allclose(density, np.broadcast_to([h, e], (4, 5, 2)), atol=0.01)


def test_agrees_with_skimage_up_to_one_scale(noise: np.ndarray) -> None:
    ours = stain_density(noise)
    theirs = rgb2hed(noise)[..., :2]
    seen = theirs > 0  # skimage clips what is below
    ratio = ours[seen] / theirs[seen]
    # skimage divides by the logarithm of 1e-6, that is by 6 in units of log10.
    np.testing.assert_allclose(ratio, 6.0, rtol=1e-3)
    assert (ours[~seen] < 1e-4).all()


def test_white_is_zero_and_black_finite() -> None:
    assert not stain_density(np.full((2, 2, 3), 255, np.uint8)).any()
    assert np.isfinite(stain_density(np.zeros((2, 2, 3), np.uint8))).all()


def test_the_first_channel_alone_is_the_same(noise: np.ndarray) -> None:
    np.testing.assert_allclose(haematoxylin_density(noise), stain_density(noise)[..., 0], atol=1e-6)


def test_refuses_other_images() -> None:
    with pytest.raises(ValueError, match="uint8"):
        optical_density(np.zeros((4, 4, 3), np.float32))
    with pytest.raises(ValueError, match=r"\(4, 4\)"):
        optical_density(np.zeros((4, 4), np.uint8))
