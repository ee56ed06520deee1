"""Mean and spread of genes from sparse targets are those of the dense ones."""

import numpy as np
import pytest
import torch
from scipy import sparse

from hespotex.common.numerics.moments import moments
from hespotex.genes.scaling import scaling
from hespotex.genes.target import ResidualTarget, Target

N_GENES = 6


def make(seed: int, n_spots: int, unmeasured: list[int], residuals: bool) -> Target:
    """A section whose gene 1 has one value in all spots and gene 2 no count."""
    rng = np.random.default_rng(seed)
    counts = rng.poisson(0.5, (n_spots, N_GENES)).astype(np.float32)
    counts[:, 1] = 3
    counts[:, 2] = 0
    counts[:, unmeasured] = 0
    known = np.ones(N_GENES, dtype=bool)
    known[unmeasured] = False
    if not residuals:
        return Target(sparse.csr_matrix(np.log1p(counts)), known)
    library = counts.sum(axis=1).astype(np.float64)
    share = counts.sum(axis=0) / counts.sum()
    return ResidualTarget(sparse.csr_matrix(counts), known, library, share, 100.0, 5.0)


@pytest.mark.parametrize("residuals", [False, True])
@pytest.mark.parametrize("unmeasured", [[], [0, 4]])
def test_as_of_dense_tables(unmeasured: list[int], residuals: bool) -> None:
    targets = [make(0, 5000, unmeasured, residuals), make(1, 30, [], residuals)]
    mean, std = scaling(targets)
    dense = moments(target.dense().numpy() for target in targets)
    np.testing.assert_allclose(mean, dense[0], rtol=1e-6)
    np.testing.assert_allclose(std, np.where(dense[1] > 1e-6, dense[1], 1.0), rtol=1e-6)


def test_a_gene_that_does_not_vary_has_spread_1() -> None:
    mean, std = scaling([make(0, 5000, [], False), make(1, 300, [], False)])
    assert std[1] == std[2] == 1
    assert mean[1] == pytest.approx(np.log(4)) and mean[2] == 0


def test_a_gene_that_no_section_measured_has_no_mean() -> None:
    mean, _ = scaling([make(0, 50, [3], False), make(1, 20, [3], False)])
    assert torch.isnan(mean).tolist() == [i == 3 for i in range(N_GENES)]


def test_weighted_sections_count_by_their_weight() -> None:
    targets = [make(0, 400, [], False), make(1, 40, [], False)]
    mean, _ = scaling(targets, [1 / 400, 1 / 40])
    own = np.stack([target.dense().numpy().mean(axis=0) for target in targets])
    np.testing.assert_allclose(mean, own.mean(axis=0), rtol=1e-5)
