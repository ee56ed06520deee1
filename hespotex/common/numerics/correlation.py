"""Pearson's correlation from variances: one formula, and one rule for what is constant."""

import torch
from torch import Tensor

TINY = 1e-10  # variance below which a gene is constant


def pearson(covariance: Tensor, one: Tensor, other: Tensor) -> Tensor:
    """covariance / sqrt(one * other) of the two variances, each (n,) -> (n,); NaN where either is
    constant or unknown.
    """
    varies = (one >= TINY) & (other >= TINY)
    spread = (one * other).clamp(min=TINY**2).sqrt()
    return torch.where(varies, covariance / spread, torch.nan)
