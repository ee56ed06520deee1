"""Losses and scores from moments: as from the whole tables, with the same gradient, in any number
of blocks.
"""

import numpy as np
import pytest
import torch
from scipy import sparse
from scipy.stats import pearsonr
from torch import Tensor

from hespotex.genes.block_target import BlockTarget
from hespotex.metrics import GeneMoments, gene_pearson

N = 60
D = 5
G = 8


@pytest.fixture
def tables() -> tuple[Tensor, Tensor]:
    """Far from 0, which is where sums of squares lose digits."""
    generator = torch.Generator().manual_seed(0)
    measured = 20 + torch.randn(N, G, generator=generator)
    return measured + torch.randn(N, G, generator=generator) - 3, measured


def linear() -> tuple[Tensor, Tensor, Tensor, BlockTarget, Tensor]:
    """Features, weight, bias, sparse target and the same target as a table; gene 1 is constant,
    gene 2 not measured.
    """
    generator = torch.Generator().manual_seed(1)
    features, weight, bias = (
        torch.randn(*shape, generator=generator) for shape in ((N, D), (G, D), (G,))
    )
    counts = sparse.random(N, G, 0.3, format="csr", dtype=np.float32, random_state=0).toarray()
    counts[:, 1], counts[:, 2] = 0, 0
    known = np.arange(G) != 2
    table = torch.from_numpy(np.where(known, counts, np.nan))
    return (
        features + 4,
        weight,
        bias,
        BlockTarget.of_counts(sparse.csr_matrix(counts), known),
        table,
    )


def squared_error(predicted: Tensor, measured: Tensor) -> Tensor:
    return (predicted.double() - measured.double()).square().mean(0)


def test_of_tables(tables: tuple[Tensor, Tensor]) -> None:
    found = GeneMoments.of(*tables)
    p, m = tables
    expected = [pearsonr(p[:, g].double(), m[:, g].double()).statistic for g in range(G)]
    np.testing.assert_allclose(found.pearson(), expected, atol=1e-5)
    np.testing.assert_allclose(found.correlation(), expected, atol=1e-5)
    torch.testing.assert_close(found.mse().double(), squared_error(p, m), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(found.rmse(), found.mse().sqrt())


@pytest.mark.parametrize("pieces", [1, 2, 9])
def test_pieces_add_up(tables: tuple[Tensor, Tensor], pieces: int) -> None:
    p, m = tables
    m[:, 0], m[:, 1], p[:, 2] = torch.nan, 7.0, 2.5
    parts = [
        GeneMoments.of(*both).double()
        for both in zip(p.tensor_split(pieces), m.tensor_split(pieces), strict=True)
    ]
    total = sum(parts[1:], parts[0])
    assert total.n == N
    torch.testing.assert_close(
        total.pearson(), gene_pearson(p, m), rtol=1e-5, atol=1e-6, equal_nan=True
    )
    torch.testing.assert_close(
        total.mse(), squared_error(p, m), rtol=1e-4, atol=1e-5, equal_nan=True
    )


def test_linear_is_the_table_without_the_table() -> None:
    features, weight, bias, target, table = linear()
    found = GeneMoments.linear(features, weight, bias, target)
    expected = GeneMoments.of(features @ weight.T + bias, table)
    for name in ("mean_p", "mean_m", "var_p", "var_m", "cov"):
        one = getattr(found, name)
        other = getattr(expected, name)
        one = torch.where(target.known, one, torch.nan) if name == "cov" else one
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4, equal_nan=True, msg=name)
    torch.testing.assert_close(
        found.pearson(), expected.pearson(), rtol=1e-4, atol=1e-5, equal_nan=True
    )
    torch.testing.assert_close(found.mse(), expected.mse(), rtol=1e-4, atol=1e-4, equal_nan=True)
    assert found.pearson()[[1, 2]].isnan().all()


@pytest.mark.parametrize("loss", ["mse", "correlation"])
def test_the_gradient_is_that_of_the_table(loss: str) -> None:
    features, weight, bias, target, table = linear()
    gradients = []
    for way in ("linear", "table"):
        leaves = [tensor.clone().requires_grad_() for tensor in (features, weight, bias)]
        f, w, b = leaves
        # of the table the unknown gene is cut away: its NaN would be in every gradient
        known = target.known
        whole = GeneMoments.of((f @ w.T + b)[:, known], table[:, known])
        moments = GeneMoments.linear(f, w, b, target) if way == "linear" else whole
        getattr(moments, loss)().nanmean().backward()
        gradients.append(
            [leaf.grad if leaf.grad is not None else torch.zeros_like(leaf) for leaf in leaves]
        )
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-5)
        assert one.isfinite().all()


def test_mixed_precision_does_not_reach_the_sums() -> None:
    features, weight, bias, target, _ = linear()
    exact = GeneMoments.linear(features, weight, bias, target)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = GeneMoments.linear(features, weight, bias, target)
    torch.testing.assert_close(mixed.cov, exact.cov, rtol=0, atol=0)


@pytest.mark.parametrize("known", [np.ones(G, dtype=bool), np.arange(G) != 3])
def test_a_target_is_the_same_sparse_and_dense(known: np.ndarray) -> None:
    counts = (
        sparse.random(N, G, 0.3, format="csr", dtype=np.float32, random_state=0)
        .multiply(known)
        .tocsr()
    )
    table = torch.from_numpy(np.where(known, counts.toarray(), np.nan).astype(np.float32))
    x = torch.randn(N, 4)
    one = BlockTarget.of_counts(counts, known)
    other = BlockTarget.of_table(table)
    assert len(one) == len(other) == N and one.nbytes > 0 and other.nbytes == table.nbytes
    for target in (one, other):
        torch.testing.assert_close(target.dense(), table, equal_nan=True)
        torch.testing.assert_close(target.times(x), torch.nan_to_num(table).T @ x)
        torch.testing.assert_close(target.mean, table.mean(0), equal_nan=True)
        torch.testing.assert_close(
            target.variance, table.var(0, correction=0), equal_nan=True, rtol=1e-4, atol=1e-6
        )
        few = torch.tensor([4, 0, 7])
        part = target.rows(few)
        assert part.by_spot.layout == target.by_spot.layout
        torch.testing.assert_close(part.dense(), table[few], equal_nan=True)
        torch.testing.assert_close(part.times(x[few]), torch.nan_to_num(table[few]).T @ x[few])
        torch.testing.assert_close(part.mean, table[few].mean(0), equal_nan=True)
