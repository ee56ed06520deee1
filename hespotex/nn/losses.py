"""Losses over one section."""

import torch
from torch import Tensor

EPS = 1e-8


def row_pearson(a: Tensor, b: Tensor) -> Tensor:
    """Pearson correlation of matching rows.  (n, d), (n, d) -> (n,); about 0 where a row is
    constant.
    """
    a = a - a.mean(1, keepdim=True)
    b = b - b.mean(1, keepdim=True)
    return (a * b).sum(1) / (a.norm(dim=1) * b.norm(dim=1) + EPS)


def latent_alignment(patch_latent: Tensor, spot_latent: Tensor) -> Tensor:
    """1 - Pearson of each spot's two latents over the latent dimensions, mean over spots."""
    return 1 - row_pearson(patch_latent, spot_latent).mean()


def mean_squared_error(predicted: Tensor, measured: Tensor) -> Tensor:
    """Over the entries (n, n_genes) that were measured (not NaN)."""
    known = ~measured.isnan()
    error = torch.where(known, predicted - measured, 0.0)
    return error.square().sum() / known.sum()
