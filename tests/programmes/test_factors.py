"""Programmes are found again from their covariance, and other ones are not taken for them."""

import numpy as np
import pytest

from hespotex.programmes.factors import Array, Covariance, factors, returned, varimax

GENES = 60


def planted(seed: int = 0) -> Array:
    """Three programmes of twenty genes each, the first the strongest, (60, 3)."""
    rng = np.random.default_rng(seed)
    loadings = rng.normal(0, 0.02, (GENES, 3))
    for j in range(3):
        loadings[20 * j : 20 * j + 20, j] += rng.uniform(0.6, 1.0, 20) * (1.5 - 0.3 * j)
    return loadings


def test_planted_programmes_are_found() -> None:
    truth = planted()
    found = factors(Covariance.of([truth.T]))
    alike = np.corrcoef(found.loadings.T, truth.T)[:3, 3:]
    np.testing.assert_allclose(alike.diagonal(), 1, atol=0.01)
    assert found.share.sum() == pytest.approx(1)
    assert (np.diff(found.share) < 0).all()


def test_scores_have_unit_variance_and_are_uncorrelated() -> None:
    truth = planted()
    weights = factors(Covariance.of([truth.T])).weights
    covariance = truth @ truth.T / np.trace(truth @ truth.T)
    np.testing.assert_allclose(weights.T @ covariance @ weights, np.eye(3), atol=1e-8)


def test_what_is_weak_is_no_programme() -> None:
    truth = planted()
    truth[:, 2] *= 0.05
    assert len(factors(Covariance.of([truth.T])).share) == 2
    assert len(factors(Covariance.of([truth.T]), most=1).share) == 1
    assert len(factors(Covariance.of([np.zeros((5, 5))])).share) == 0


def test_a_covariance_in_parts_is_that_of_all() -> None:
    """Against the genes-by-genes table that it stands for."""
    rng = np.random.default_rng(3)
    tables = [
        rng.normal(size=(n, 3)) @ planted().T + 0.1 * rng.normal(size=(n, GENES))
        for n in (1500, 90, 7)
    ]
    rows = np.concatenate(tables)
    whole = rows.T @ rows / (rows**2).sum()
    covariance = Covariance.of(tables)
    np.testing.assert_allclose(covariance.variance, whole.diagonal())
    np.testing.assert_allclose(covariance.half.T @ covariance.half, whole, atol=1e-9)
    few = covariance.of_genes([4, 30, 55])
    cut = whole[np.ix_([4, 30, 55], [4, 30, 55])]
    np.testing.assert_allclose(few.half.T @ few.half, cut / np.trace(cut), atol=1e-9)


def test_a_covariance_keeps_its_strongest_directions() -> None:
    rng = np.random.default_rng(4)
    rows = rng.normal(size=(300, 3)) @ rng.normal(size=(3, 200)) + 0.01 * rng.normal(
        size=(300, 200)
    )
    found = factors(Covariance.of([rows[:150], rows[150:]]))
    values = np.linalg.eigvalsh(rows.T @ rows)[::-1][:3]
    assert found.share.sum() == pytest.approx(values.sum() / (rows**2).sum(), rel=1e-4)


def test_a_rotation_is_one() -> None:
    rotation = varimax(np.random.default_rng(1).normal(size=(30, 4)))
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(4), atol=1e-10)


def test_returned_counts_partners_of_either_sign() -> None:
    truth = planted()
    turned = -truth[:, [2, 0, 1]]
    without_first = truth[:, 1:]
    noise = np.random.default_rng(2).normal(size=(GENES, 3))
    assert returned(truth, [turned, without_first, noise]).tolist() == [1, 2, 2]


def test_one_partner_does_for_one_programme_only() -> None:
    truth = planted()
    twice = np.column_stack([truth[:, 0], truth[:, 0] + 0.01, truth[:, 1]])
    assert returned(twice, [truth[:, :2]]).tolist() in ([1, 0, 1], [0, 1, 1])
