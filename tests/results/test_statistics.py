"""Intervals and tests agree with scipy, or with what can be counted by hand."""

from itertools import product

import numpy as np
import pytest
from scipy import stats

from hespotex.results.tables.statistics import (
    benjamini_hochberg,
    bootstrap_interval,
    sign_flip,
    t_test,
)


def test_bootstrap_interval_is_that_of_the_mean_of_groups() -> None:
    values = np.random.default_rng(0).normal(0.3, 0.1, 30)
    low, high = bootstrap_interval(values)
    expected = stats.t.interval(0.95, 29, values.mean(), stats.sem(values))
    assert (low, high) == pytest.approx(expected, abs=0.01)
    assert bootstrap_interval(values) == (low, high)
    assert bootstrap_interval(np.append(values, np.nan)) == (low, high)
    assert np.isnan(bootstrap_interval(np.array([0.3]))).all()


def test_the_interval_covers_the_truth_as_often_as_it_says() -> None:
    rng = np.random.default_rng(1)
    covered = [
        low <= 0 <= high
        for low, high in (bootstrap_interval(rng.normal(size=25), seed) for seed in range(200))
    ]
    assert 0.87 <= np.mean(covered) <= 0.99


@pytest.mark.parametrize("n", [1, 2, 5, 8])
def test_sign_flip_goes_through_all_signs(n: int) -> None:
    differences = np.random.default_rng(n).normal(0.5, 1, n)
    totals = [abs(np.dot(signs, differences)) for signs in product((-1, 1), repeat=n)]
    assert sign_flip(differences) == pytest.approx(
        np.mean(np.array(totals) >= abs(differences.sum()) - 1e-12)
    )
    assert sign_flip(-differences) == sign_flip(differences)
    assert sign_flip(np.append(differences, np.nan)) == sign_flip(differences)


def test_sign_flip_limits() -> None:
    assert sign_flip(np.full(5, 0.1)) == 2 / 2**5
    assert sign_flip(np.array([1.0, -1.0])) == 1
    assert np.isnan(sign_flip(np.array([np.nan])))
    many = np.random.default_rng(0).normal(0.4, 1, 40)
    expected = stats.permutation_test(
        (many,), np.mean, permutation_type="samples", n_resamples=20_000, rng=1
    ).pvalue
    assert sign_flip(many) == pytest.approx(expected, abs=0.01)
    assert sign_flip(np.full(30, 1.0)) == pytest.approx(1 / 20_001)


@pytest.mark.parametrize("alternative", ["greater", "two-sided"])
def test_t_test_is_scipys_row_by_row(alternative: str) -> None:
    values = np.random.default_rng(0).normal(0.3, 1, (20, 6))
    values[3, 2:4] = np.nan
    values[7, 1:], values[8] = np.nan, np.nan
    values[9] = 0.2  # no spread, no test
    expected = [
        stats.ttest_1samp(row[np.isfinite(row)], 0, alternative=alternative).pvalue
        for row in values[[0, 1, 3, 12]]
    ]
    found = t_test(values, alternative)
    np.testing.assert_allclose(found[[0, 1, 3, 12]], expected, rtol=1e-9)
    assert np.isnan(found[[7, 8, 9]]).all()


def test_benjamini_hochberg_is_scipys() -> None:
    p = np.random.default_rng(0).uniform(size=50) ** 2
    np.testing.assert_allclose(benjamini_hochberg(p), stats.false_discovery_control(p))
    with_gaps = np.insert(p, [0, 20], np.nan)
    np.testing.assert_allclose(
        np.delete(benjamini_hochberg(with_gaps), [0, 21]), stats.false_discovery_control(p)
    )
    assert np.isnan(benjamini_hochberg(np.full(3, np.nan))).all()


def test_noise_is_rarely_found() -> None:
    rng = np.random.default_rng(0)
    found = [
        (benjamini_hochberg(t_test(rng.normal(size=(200, 6)), "greater")) <= 0.05).any()
        for _ in range(100)
    ]
    assert np.mean(found) < 0.12
