"""Image and measured spots together: where they help, where they must not, and what is said of
it.
"""

import numpy as np
import pytest

from hespotex.kriging import Kriging, MeasuredSpots, Settings
from hespotex.kriging.left_out import Numbers
from kriging.fields import Simulated, correlation, parts, simulate


@pytest.fixture(scope="module")
def section() -> Simulated:
    """With a field of errors."""
    return simulate(0, field=1.0)


@pytest.fixture(scope="module")
def known(section: Simulated) -> Kriging:
    return section.kriging(parts(section, 0, 0.5)[0])


def alone(section: Simulated, which: Numbers) -> Kriging:
    """The measured spots without the image: their mean, and a field about it."""
    mean = np.repeat(section.measured[which].mean(axis=0)[None], len(which), axis=0)
    spots = MeasuredSpots(section.pos[which], section.measured[which], section.depth[which], mean)
    return Kriging(spots, np.ones(mean.shape[1]), Settings(cautious=False))


@pytest.mark.parametrize(("share", "gain"), [(0.2, 0.01), (0.5, 0.04)])
def test_together_they_say_more_than_each_alone(share: float, gain: float) -> None:
    scores = []
    for seed in range(4):
        section = simulate(seed, field=1.0)
        which, other = parts(section, seed, share)
        pos = section.pos[other]
        truth = section.truth[other]
        both = section.kriging(which).at(pos, section.image[other])
        mean = np.repeat(section.measured[which].mean(axis=0)[None], len(other), axis=0)
        said = [section.image[other], alone(section, which).at(pos, mean).expression]
        scores.append([correlation(one, truth) for one in (both.expression, *said)])
    together, image, spots = np.mean(scores, axis=0)
    assert together > max(image, spots) + gain
    assert min(both - image for both, image, _ in scores) > -0.01


@pytest.mark.parametrize("seed", range(3))
def test_where_the_image_errs_by_noise_alone_it_stays_alone(seed: int) -> None:
    section = simulate(seed, field=0.0)
    which, other = parts(section, seed, 0.5)
    kriging = section.kriging(which)
    both = kriging.at(section.pos[other], section.image[other])
    assert not any(kriging.used)
    np.testing.assert_array_equal(both.expression, section.image[other])
    assert (both.informed == 0).all()


def test_far_from_all_spots_it_is_the_image(section: Simulated, known: Kriging) -> None:
    assert any(known.used)
    far = section.pos + 1e7
    both = known.at(far, section.image)
    np.testing.assert_allclose(both.expression, section.image, atol=1e-9)
    np.testing.assert_allclose(both.informed, 0, atol=1e-9)
    near = known.at(section.pos, section.image)
    assert (near.error < both.error).all() and near.informed.min() > 0


def test_at_the_spots_themselves_it_takes_noise_away(section: Simulated) -> None:
    which = np.arange(len(section.pos))
    both = section.kriging(which).at(section.pos, section.image)
    measured = ((section.measured - section.truth) ** 2).mean()
    assert ((both.expression - section.truth) ** 2).mean() < 0.5 * measured


def test_the_standard_error_is_that_of_a_measurement(section: Simulated, known: Kriging) -> None:
    _, other = parts(section, 0, 0.5)
    both = known.at(section.pos[other], section.image[other])
    away = (section.measured[other] - both.expression) / both.error
    assert (away**2).mean() == pytest.approx(1, abs=0.15)
    assert (np.abs(away) < 1.96).mean() == pytest.approx(0.95, abs=0.02)


def test_the_same_spots_give_the_same_numbers(section: Simulated, known: Kriging) -> None:
    again = section.kriging(parts(section, 0, 0.5)[0])
    first = known.at(section.pos, section.image)
    second = again.at(section.pos, section.image)
    np.testing.assert_array_equal(first.expression, second.expression)
    np.testing.assert_array_equal(first.error, second.error)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_spots_too_few_to_choose_by_leave_the_image_alone(section: Simulated, n: int) -> None:
    both = section.kriging(np.arange(n)).at(section.pos, section.image)
    np.testing.assert_array_equal(both.expression, section.image)
    assert np.isfinite(both.error).all()


def test_a_shift_of_the_whole_section_is_seen_by_ten_spots(section: Simulated) -> None:
    which = parts(section, 2, 0.05)[0]
    shift = np.linspace(-3, 3, section.image.shape[1])
    spots = MeasuredSpots(
        section.pos[which],
        section.image[which] + shift + 0.1 * (section.measured - section.truth)[which],
        section.depth[which],
        section.image[which],
    )
    both = Kriging(spots, np.ones(len(shift)), Settings()).at(section.pos, section.image)
    left = both.expression - section.image - shift
    assert (left**2).mean() < 0.1 * (shift**2).mean()


def test_deep_spots_count_for_more(section: Simulated) -> None:
    """Two spots at one place disagree; the answer lies nearer to the deeper one."""
    which = parts(section, 0, 0.5)[0]
    pos = np.concatenate([section.pos[which], section.pos[which]])
    shift = np.repeat([[2.0], [-2.0]], len(which), axis=0)
    image = np.concatenate([section.image[which]] * 2)
    depth = np.repeat([10_000.0, 1_000.0], len(which))
    spots = MeasuredSpots(pos, image + shift, depth, image)
    kriging = Kriging(spots, np.ones(image.shape[1]), Settings(cautious=False))
    change = kriging.at(section.pos, section.image).expression - section.image
    assert change.mean() > 0.5


def test_many_spots_are_taken_in_parts(section: Simulated, known: Kriging) -> None:
    """The nearest 100 of 112 spots say about what all say."""
    which = parts(section, 0, 0.5)[0]
    in_parts = section.kriging(which, most=100)
    in_parts.chosen = known.chosen
    assert len(in_parts._tiles(section.pos)) > 1
    whole = known.at(section.pos, section.image).expression - section.image
    cut = in_parts.at(section.pos, section.image).expression - section.image
    assert np.abs(whole - cut).max() < 0.2 * np.abs(whole).max()
    assert np.corrcoef(whole.ravel(), cut.ravel())[0, 1] > 0.99
