"""Blocks that are left out, and what is chosen by them."""

import numpy as np
import pytest
from sklearn.gaussian_process import GaussianProcessRegressor

from hespotex.batches.cut import split
from hespotex.common.errors import InputError
from hespotex.kriging import Settings
from hespotex.kriging.choice import choose, try_all
from hespotex.kriging.field import Field
from hespotex.kriging.left_out import leave_out
from hespotex.kriging.programmes import directions, programmes
from kriging.fields import simulate


def test_left_out_blocks_get_what_a_fit_without_them_says() -> None:
    section = simulate(3, field=1.0, side=7, n_genes=4)
    noise = section.spots(np.arange(49)).noise
    values = section.measured - section.image
    field = Field(400.0, 1.0, 20_000.0, 0.5)
    blocks = split(section.pos, np.arange(49), 5)
    found = leave_out(field.kernel()(section.pos), noise, values, blocks)
    for block in blocks:
        others = np.setdiff1d(np.arange(49), block)
        process = GaussianProcessRegressor(field.kernel(), alpha=noise[others], optimizer=None)
        process.fit(section.pos[others], values[others])
        mean, std = process.predict(section.pos[block], return_std=True)
        np.testing.assert_allclose(found.error[block], values[block] - mean, atol=1e-8)
        np.testing.assert_allclose(found.variance[block], std[:, 0] ** 2 + noise[block])


def test_each_group_gets_a_field_of_its_own() -> None:
    section = simulate(4, field=2.0)
    n = len(section.pos)
    noise = np.random.default_rng(0).normal(size=(n, 1))
    field = (section.truth - section.image)[:, :1]
    values = np.concatenate([4 * field + noise, noise[::-1], np.zeros((n, 2))], axis=1)
    groups = [slice(0, 1), slice(1, 2), slice(2, 4)]
    blocks = split(section.pos, np.arange(n), 16)
    trials = try_all(section.pos, np.ones(n), values, groups, Settings().fields(), [blocks])
    first, second, rest = choose(trials, groups, n)
    assert first.field.weight > 0 and first.gain > 0.3
    assert second.gain < 0.05  # one standard error lets some noise in
    assert rest.gain == 0 and rest.field.variance == 0


def test_programmes_are_orthonormal_and_the_images_come_first() -> None:
    section = simulate(5, field=1.0)
    residual = section.measured - section.image
    found = programmes(section.image, residual, 4, 3)
    np.testing.assert_allclose(found @ found.T, np.eye(7), atol=1e-8)
    image = section.image - section.image.mean(axis=0)
    np.testing.assert_allclose(image @ found[:4].T @ found[:4], image, atol=1e-6)


def test_directions_end_where_the_table_does() -> None:
    assert directions(np.ones((3, 1)) * np.arange(5.0), 12).shape == (1, 5)
    assert directions(np.zeros((3, 5)), 12).shape == (0, 5)
    assert directions(np.ones((3, 5)), 0).shape == (0, 5)


@pytest.mark.parametrize(
    "wrong", [{"blocks": 1}, {"most": 3}, {"lengths_um": [0.0]}, {"slide_um": -1.0}]
)
def test_numbers_that_mean_nothing_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(InputError, match=rf"^kriging\.{next(iter(wrong))}: expected"):
        Settings(**wrong)  # type: ignore[arg-type]
