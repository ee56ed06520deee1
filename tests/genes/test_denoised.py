"""A teacher of counts: what it finds, what it makes of it, and where there are no counts."""

import numpy as np
import pytest
import torch
from builders import random_counts, section
from numpy.typing import NDArray
from scipy import sparse
from scipy.stats import poisson

from hespotex.common.errors import InputError
from hespotex.genes import denoised
from hespotex.genes.denoised import DenoisedTarget, Programmes, expected
from hespotex.genes.expression import Expression, LogNormalised, LogRaw, PearsonResiduals
from hespotex.genes.panel import GenePanel
from hespotex.genes.target import Target

GENES = [f"G{i:03d}" for i in range(8)]
Floats = NDArray[np.float64]


def planted(n: int = 300, k: int = 4, n_genes: int = 60) -> tuple[Floats, sparse.csr_matrix]:
    """Rates of a few programmes, about two counts each, and counts."""
    rng = np.random.default_rng(0)
    rates = rng.gamma(1.0, 1.0, (n, k)) @ rng.gamma(1.0, 0.5, (k, n_genes))
    return rates, sparse.csr_matrix(rng.poisson(rates).astype(np.float64))


def mean_correlation(one: Floats, other: Floats) -> float:
    pairs = zip(one.T, other.T, strict=True)
    return float(np.nanmean([np.corrcoef(*pair)[0, 1] for pair in pairs if pair[1].std() > 0]))


def test_planted_rates_are_found() -> None:
    rates, counts = planted()
    found = Programmes.fit(counts, (2, 4, 8), seed=0)
    assert len(found.genes) == 4
    taught = found.weights(counts) @ found.genes
    assert mean_correlation(rates, taught) > mean_correlation(rates, counts.toarray()) + 0.15


def test_spots_that_did_not_teach_are_denoised_as_well() -> None:
    rates, counts = planted()
    found = Programmes.fit(counts[:150], (4,), seed=0)
    taught = found.weights(counts[150:]) @ found.genes
    measured = mean_correlation(rates[150:], counts[150:].toarray())
    assert mean_correlation(rates[150:], taught) > measured + 0.1


def test_the_same_seed_finds_the_same() -> None:
    counts = planted()[1]
    one, other = (Programmes.fit(counts, (2, 4), seed=3).genes for _ in range(2))
    assert (one == other).all()


@pytest.mark.parametrize("seed", [0, 4, 34, 55])
def test_genes_that_are_all_but_silent(seed: int) -> None:
    """Scikit-learn's first guess has no numbers where a table's rank is below theirs."""
    drawn = np.zeros((150, 40))
    drawn[:, :2] = np.random.default_rng(seed).poisson(0.02, (150, 2))
    counts = sparse.csr_matrix(drawn)
    found = Programmes.fit(counts, (16,), seed=0)
    assert np.isfinite(found.genes).all() and np.isfinite(found.weights(counts)).all()


def test_a_teacher_that_saw_no_count_expects_none() -> None:
    nothing = sparse.csr_matrix((30, 5))
    found = Programmes.fit(nothing, (2, 4), seed=0)
    assert not found.genes.any() and not found.weights(planted(30, 2, 5)[1]).any()
    assert not Programmes(np.ones((2, 5))).weights(nothing).any()


@pytest.mark.parametrize("shape", [(5, 40), (40, 3), (2, 1)])
def test_fewer_spots_or_genes_than_programmes(shape: tuple[int, int]) -> None:
    counts = sparse.csr_matrix(random_counts(*shape))
    assert len(Programmes.fit(counts, (8, 16), seed=0).genes) == 1


@pytest.mark.parametrize("scale", [1.0, 0.01, 30.0])
def test_expectation_is_that_over_all_counts(scale: float) -> None:
    rates = np.array([[1e-6, 0.02, 0.7, 5.0, 40.0, 130.0, 400.0]])
    counts = np.arange(1000)[:, None]
    true = (poisson.pmf(counts, rates) * np.log1p(scale * counts)).sum(0)
    np.testing.assert_allclose(expected(rates, np.array([scale]))[0], true, atol=2e-5)


def test_large_rates_alone_and_none() -> None:
    assert expected(np.array([[1e5]]), np.ones(1))[0, 0] == pytest.approx(np.log1p(1e5), abs=1e-4)
    assert expected(np.empty((0, 3)), np.empty(0)).shape == (0, 3)


@pytest.mark.parametrize(
    "expression", [LogRaw(), LogNormalised(), LogNormalised(target_sum=1e6, library="panel")]
)
def test_counts_are_read_off_the_target(expression: Expression) -> None:
    counts = random_counts(25, 8, mean=2.0) * np.array([1, 1, 1, 1, 1, 1, 1, 900], np.float32)
    counts[3] = 0
    measured = section(counts)
    target = expression(measured, GenePanel([*GENES[::-1], "G999"], []))
    assert (target.counts().toarray() == np.c_[counts[:, ::-1], np.zeros(25)]).all()
    few = target.select(np.array([2, 0]))
    assert (few.counts().toarray() == counts[:, [5, 7]]).all()


def test_other_targets_and_other_numbers_are_refused() -> None:
    residuals = PearsonResiduals(clip=5.0)
    panel = GenePanel(GENES, [])
    residuals.fit([section(random_counts(25, 8))], panel)
    with pytest.raises(InputError, match=r"set data/expression=log_normalised.* or take model="):
        residuals(section(random_counts(25, 8)), panel).counts()
    with pytest.raises(InputError, match=r"other numbers, such as \d+\.5"):
        LogRaw()(section(random_counts(25, 8) + np.float32(0.5)), panel).counts()


def test_a_denoised_target_is_made_where_it_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    counts = planted(n=50)[1]
    measured = Target(counts.log1p(), np.ones(60, dtype=bool), np.ones(50))
    programmes = Programmes.fit(counts, (2,), seed=0)
    whole = DenoisedTarget.of(measured, programmes)
    monkeypatch.setattr(denoised, "MOST_NUMBERS", 20 * 60)
    target = DenoisedTarget.of(measured, programmes)
    every = torch.arange(50)
    torch.testing.assert_close(target[every], whole[every], rtol=0.02, atol=0.02)
    spots = torch.tensor([7, 3])
    assert target[spots].shape == (2, 60)
    assert torch.equal(target[spots], target[every][spots])
    torch.testing.assert_close(target.block(spots).dense(), target[spots])
    assert target.fingerprint() == target.fingerprint()
