"""Metrics of each gene over the spots of one section.  (n_spots, n_genes) twice -> (n_genes,)
float64

One policy for what has no value: NaN where the gene was not measured (a NaN in its column), and
where the measured gene is constant in the section, unless the docstring says otherwise. Errors
(MSE, RMSE, MAE) have a value for constant genes.
"""

import torch
from scipy.stats import rankdata
from torch import Tensor

TINY = 1e-10  # variance below which a gene is constant in a section


def gene_pearson(predicted: Tensor, measured: Tensor) -> Tensor:
    """Pearson correlation: cov(p, m) / (std p * std m). NaN also where the prediction is
    constant.
    """
    p, m = predicted.double(), measured.double()
    p, m = p - p.mean(0), m - m.mean(0)
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
    p, m = predicted.double(), measured.double()
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
    n_present, n_absent = present.sum(0).double(), (~present).sum(0).double()
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
    return torch.from_numpy(rankdata(values.detach().cpu().numpy(), axis=0)).to(values.device)


def variance(values: Tensor) -> Tensor:
    """Population variance of each column, float64."""
    values = values.double()
    return (values - values.mean(0)).square().mean(0)


def _where_it_varies(score: Tensor, measured: Tensor) -> Tensor:
    return torch.where(variance(measured) < TINY, torch.nan, score)
