"""Metrics of each gene over the spots of one section.  (n_spots, n_genes) twice -> (n_genes,)
float64

One policy for what has no value: NaN where the gene was not measured (a NaN in its column), and
where the measured gene is constant in the section, unless the docstring says otherwise. Errors
(MSE, RMSE, MAE) have a value for constant genes.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import rankdata
from torch import Tensor

TINY = 1e-10  # variance below which a gene is constant in a section


def gene_pearson(predicted: Tensor, measured: Tensor) -> Tensor:
    """Pearson correlation: cov(p, m) / (std p * std m). NaN also where the prediction is
    constant.
    """
    p = predicted.double()
    m = measured.double()
    p = p - p.mean(0)
    m = m - m.mean(0)
    norm = (p.square().sum(0) * m.square().sum(0)).sqrt()
    constant = (p.square().mean(0) < TINY) | (m.square().mean(0) < TINY)
    return torch.where(constant, torch.nan, (p * m).sum(0) / norm.clamp(min=TINY))


def gene_spearman(predicted_ranks: Tensor, measured: Tensor) -> Tensor:
    """Spearman correlation: Pearson of the ranks (`average_ranks`). NaN also where the prediction
    is constant.
    """
    return gene_pearson(predicted_ranks, average_ranks(measured))


def gene_mse(predicted: Tensor, measured: Tensor) -> Tensor:
    """Mean squared error."""
    return (predicted.double() - measured.double()).square().mean(0)


def gene_rmse(predicted: Tensor, measured: Tensor) -> Tensor:
    """Root of the mean squared error, in the target's unit."""
    return gene_mse(predicted, measured).sqrt()


def gene_mae(predicted: Tensor, measured: Tensor) -> Tensor:
    """Mean absolute error, in the target's unit."""
    return (predicted.double() - measured.double()).abs().mean(0)


def gene_r2(predicted: Tensor, measured: Tensor) -> Tensor:
    """Coefficient of determination: 1 - MSE / var(m); negative where the section's own mean is the
    better guess.
    """
    return _where_it_varies(1 - gene_mse(predicted, measured) / variance(measured), measured)


def gene_ccc(predicted: Tensor, measured: Tensor) -> Tensor:
    """Concordance (Lin 1989): 2 cov(p, m) / (var p + var m + (mean p - mean m)^2); 0 for a constant
    prediction.
    """
    p = predicted.double()
    m = measured.double()
    covariance = ((p - p.mean(0)) * (m - m.mean(0))).mean(0)
    spread = variance(p) + variance(m) + (p.mean(0) - m.mean(0)).square()
    return _where_it_varies(2 * covariance / spread, measured)


def gene_auc(predicted_ranks: Tensor, measured: Tensor, lowest: float = 0.0) -> Tensor:
    """Area under the ROC curve of "this spot has counts", by the rank sum; 0.5 for a constant
    prediction.

    A log-transformed target is above `lowest` exactly where there are counts. NaN where all spots
    have counts, or none has, and everywhere for a target without a lower bound (residuals), which
    does not tell where counts are.
    """
    present = measured > lowest
    n_present = present.sum(0).double()
    n_absent = (~present).sum(0).double()
    rank_sum = torch.where(present, predicted_ranks, 0.0).sum(0)
    # 0 / 0 is the NaN that is promised
    auc = (rank_sum - n_present * (n_present + 1) / 2) / (n_present * n_absent)
    return torch.where(measured.isnan().any(0) | (lowest == -torch.inf), torch.nan, auc)


def gene_variance_ratio(predicted: Tensor, measured: Tensor) -> Tensor:
    """var(p) / var(m): 1 where the prediction spreads as the truth does, 0 where it has
    collapsed.
    """
    return _where_it_varies(variance(predicted) / variance(measured), measured)


def average_ranks(values: Tensor) -> Tensor:
    """Ranks of each column from 1, ties averaged, float64; NaN throughout a column that holds a
    NaN.
    """
    table = values.detach().cpu().numpy()
    if table.dtype != np.float32:
        return torch.from_numpy(rankdata(table, axis=0)).to(values.device)
    ranks = np.empty(table.shape[::-1])
    for gene, column in enumerate(np.ascontiguousarray(table.T)):
        ranks[gene] = np.nan if np.isnan(column).any() else _ranks_around_zero(column)
    return torch.from_numpy(ranks.T).to(values.device)


def _ranks_around_zero(column: NDArray[np.float32]) -> NDArray[np.float64]:
    """Only what is not zero is sorted: zeros, most of a measured gene, share one rank."""
    other = np.flatnonzero(column)
    rest = column[other]
    n_zero = len(column) - len(other)
    n_below = np.count_nonzero(rest < 0)
    ranks = np.full(len(column), n_below + (n_zero + 1) / 2)
    ranks[other] = _sorted_ranks(rest) + np.where(rest > 0, n_zero, 0)
    return ranks


def _sorted_ranks(values: NDArray[np.float32]) -> NDArray[np.float64]:
    """By one sort of whole numbers: the value's bits, in its order, above its place."""
    bits = values.view(np.uint32)
    ordered = np.where(values < 0, ~bits, bits | np.uint32(1 << 31)).astype(np.uint64)
    keys = np.sort(ordered << np.uint64(32) | np.arange(len(values), dtype=np.uint64))
    place = (keys & np.uint64(0xFFFFFFFF)).astype(np.int64)
    value = keys >> np.uint64(32)
    edge = np.flatnonzero(np.diff(value)) + 1
    bounds = np.concatenate([[0], edge, [len(values)]])
    ranks = np.empty(len(values))
    ranks[place] = np.repeat((bounds[:-1] + bounds[1:] + 1) / 2, np.diff(bounds))
    return ranks


def variance(values: Tensor) -> Tensor:
    """Population variance of each column, float64."""
    values = values.double()
    return (values - values.mean(0)).square().mean(0)


def _where_it_varies(score: Tensor, measured: Tensor) -> Tensor:
    return torch.where(variance(measured) < TINY, torch.nan, score)
