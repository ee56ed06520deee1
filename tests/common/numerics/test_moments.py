"""Mean and spread of columns, piece by piece."""

import numpy as np
import pytest

from hespotex.common.numerics.moments import moments


@pytest.mark.parametrize("pieces", [1, 2, 7])
def test_as_of_the_whole_table(pieces: int) -> None:
    values = np.random.default_rng(0).normal(1000, 1, (50, 5)).astype(np.float32)
    values[:, 1] = 0.1
    values[:, 2] = np.nan
    values[3, 3] = np.nan
    values[0, 4] = np.nan
    mean, std = moments(np.array_split(values, pieces))
    known = [0, 1, 3, 4]
    wide = values[:, known].astype(np.float64)
    np.testing.assert_allclose(mean[known], np.nanmean(wide, axis=0), rtol=1e-12)
    np.testing.assert_allclose(std[known], np.nanstd(wide, axis=0), rtol=1e-9, atol=1e-12)
    assert np.isnan([mean[2], std[2]]).all()
    assert std[1] == 0


def test_the_table_is_left_as_it_was() -> None:
    values = np.array([[1.0, np.nan], [2.0, 3.0]], dtype=np.float32)
    before = values.copy()
    moments([values])
    np.testing.assert_array_equal(values, before)
