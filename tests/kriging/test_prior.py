"""What training sections say of the errors helps where few spots are measured, and does no harm."""

import numpy as np
import pytest

from hespotex.kriging import Kriging, Prior, Settings, learn
from kriging.fields import Simulated, correlation, parts, simulate

SETTINGS = Settings(lengths_um=(200.0, 400.0, 800.0))


def prior_of(field: float) -> Prior:
    sections = [simulate(seed, field) for seed in (20, 21)]
    everything = [section.spots(np.arange(len(section.pos))) for section in sections]
    return learn(everything, np.ones(40), SETTINGS)


def both(section: Simulated, share: float, prior: Prior | None) -> Kriging:
    spots = section.spots(parts(section, 0, share)[0])
    return Kriging(spots, np.ones(40), SETTINGS, section.image, prior)


def gain(section: Simulated, share: float, prior: Prior | None) -> float:
    """Of the correlation with the truth, over the spots that were not measured."""
    other = parts(section, 0, share)[1]
    image = section.image[other]
    found = both(section, share, prior).at(section.pos[other], image).expression
    truth = section.truth[other]
    return correlation(found, truth) - correlation(image, truth)


def test_few_spots_tell_more_with_it() -> None:
    prior = prior_of(1.5)
    gains = np.array(
        [[gain(simulate(seed, 1.5), 0.06, own) for own in (prior, None)] for seed in (30, 31, 32)]
    )
    assert (gains[:, 0] > 0.005).all()
    assert gains[:, 0].mean() > gains[:, 1].mean() + 0.005


def test_errors_that_no_neighbour_shares_leave_the_pattern_to_the_image() -> None:
    prior = prior_of(0.0)
    for seed in (30, 31):
        for share in (0.02, 0.3):
            assert gain(simulate(seed, 0.0), share, prior) > -0.01


def test_own_spots_go_before_it_where_there_are_many() -> None:
    """A prior of another kind of error is not kept to."""
    section = simulate(33, 3.0)
    wrong = prior_of(0.0)
    few, many = (both(section, share, wrong) for share in (0.02, 0.9))
    assert max(chosen.field.weight for chosen in few.chosen) < 0.3
    assert max(chosen.field.weight for chosen in many.chosen) >= 0.3


def test_fewer_programmes_and_genes() -> None:
    squares = np.arange(1.0, 13.0).reshape(3, 4)
    prior = Prior(squares, np.arange(8.0), 100)
    some = prior.of_programmes(2).of_genes(np.array([4, 0]))
    np.testing.assert_array_equal(some.squares, squares[:, [0, 1, 3]])
    assert some.noise.tolist() == [0, 1, 7, 3]
    assert prior.of_programmes(5).noise.tolist() == [0, 1, 2, 2, 2, 3, 4, 5, 6, 7]


def test_sections_may_come_one_at_a_time() -> None:
    sections = [simulate(seed, 1.0).spots(np.arange(60)) for seed in (20, 21)]
    one, other = (learn(given, np.ones(40), SETTINGS) for given in (sections, iter(sections)))
    np.testing.assert_array_equal(one.squares, other.squares)
    np.testing.assert_array_equal(one.noise, other.noise)
    assert one.n_spots == other.n_spots == 60


@pytest.mark.parametrize("m", [1, 2])
def test_one_or_two_spots_do(m: int) -> None:
    section = simulate(34, 1.0)
    kriging = Kriging(
        section.spots(np.arange(m)), np.ones(40), SETTINGS, section.image, prior_of(1.0)
    )
    found = kriging.at(section.pos, section.image)
    assert np.isfinite(found.expression).all() and (found.error > 0).all()
