"""The ceiling by thinning on simulated counts, where the truth and so its correlation is known."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy import sparse

from hespotex.metrics.genes import gene_pearson
from hespotex.metrics.thinning import split_counts, thinning_ceiling

N_SPOTS = 5000
N_GENES = 20


def dense(counts: sparse.csr_matrix) -> NDArray[np.float64]:
    return counts.toarray().astype(np.float64)


def as_counts(counts: sparse.csr_matrix) -> list[NDArray[np.float64]]:
    return [dense(counts)]


def log_counts(counts: sparse.csr_matrix) -> list[NDArray[np.float64]]:
    return [np.log1p(dense(counts))]


def in_two_blocks(counts: sparse.csr_matrix) -> list[NDArray[np.float64]]:
    return np.split(dense(counts), [7], axis=1)


def simulated(level: float, spread: float) -> tuple[NDArray[np.float64], sparse.csr_matrix]:
    """Rates of genes, log-normal over spots, and Poisson counts of them."""
    rng = np.random.default_rng(0)
    rate = level * np.exp(spread * rng.standard_normal((N_SPOTS, N_GENES)))
    return rate, sparse.csr_matrix(rng.poisson(rate))


@pytest.mark.parametrize(("level", "spread"), [(0.3, 0.5), (2.0, 0.5), (50.0, 0.5), (2.0, 1.0)])
def test_it_is_the_correlation_of_the_truth(level: float, spread: float) -> None:
    rate, counts = simulated(level, spread)
    truth = gene_pearson(torch.from_numpy(rate), torch.from_numpy(dense(counts)))
    found = thinning_ceiling(counts, as_counts)
    assert float(found.mean()) == pytest.approx(float(truth.mean()), abs=0.03)


def test_it_is_the_known_share_of_variance() -> None:
    """Var(rate) / (Var(rate) + mean) is the reliability of Poisson counts."""
    rate, counts = simulated(2.0, 0.5)
    reliability = rate.var(0) / (rate.var(0) + rate.mean(0))
    found = thinning_ceiling(counts, as_counts, repeats=10)
    np.testing.assert_allclose(found, np.sqrt(reliability), atol=0.1)


def test_more_counts_raise_it_after_a_transform_too() -> None:
    each = [simulated(level, 0.5)[1] for level in (1, 4, 16)]
    ceilings = [float(thinning_ceiling(counts, log_counts).mean()) for counts in each]
    assert ceilings == sorted(ceilings)
    assert 0.3 < ceilings[0] < ceilings[-1] < 1


def test_noise_alone_has_a_ceiling_near_nothing() -> None:
    counts = sparse.csr_matrix(np.random.default_rng(0).poisson(2.0, (N_SPOTS, 20)))
    assert float(thinning_ceiling(counts, as_counts, repeats=20).mean()) < 0.15


@pytest.mark.parametrize("value", [0, 3])
def test_a_constant_gene_has_none_only_without_counts(value: int) -> None:
    """Halves of equal counts vary by chance alone, and against each other."""
    counts = sparse.csr_matrix(np.full((50, 2), value))
    found = thinning_ceiling(counts, as_counts)
    assert found.isnan().all() if value == 0 else (found == 0).all()


def test_halves_add_up_and_are_repeatable() -> None:
    _, counts = simulated(2.0, 0.5)
    first, second = split_counts(counts, np.random.default_rng(0))
    np.testing.assert_array_equal(dense(first) + dense(second), dense(counts))
    assert dense(first).min() >= 0
    assert torch.equal(thinning_ceiling(counts, as_counts), thinning_ceiling(counts, as_counts))
    blocks = thinning_ceiling(counts, in_two_blocks)
    torch.testing.assert_close(blocks, thinning_ceiling(counts, as_counts))
    assert not torch.equal(
        thinning_ceiling(counts, as_counts), thinning_ceiling(counts, as_counts, seed=1)
    )


@pytest.mark.parametrize("values", [[[1.5]], [[-1.0]], [[np.nan]]])
def test_what_is_no_count_is_an_error(values: list[list[float]]) -> None:
    with pytest.raises(ValueError, match="thinning wants counts"):
        split_counts(sparse.csr_matrix(np.array(values)), np.random.default_rng(0))
