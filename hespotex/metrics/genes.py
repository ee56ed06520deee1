"""Genes over the spots of one section.

One policy for what has no value: NaN where the gene was not measured (a NaN in its values), and
where the measured gene is constant in the section, unless the docstring says otherwise. Errors
(MSE, RMSE, MAE) have a value for constant genes.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hespotex.common.numerics.correlation import pearson

Array = NDArray[np.float64]
ROWS = 512  # spots at a time that are laid out by gene: they stay in the processor's cache


def gene_pearson(predicted: Tensor, measured: Tensor) -> Tensor:
    """Pearson correlation: cov(p, m) / (std p * std m), of (n_spots, n_genes) twice -> (n_genes,)
    float64. NaN also where the prediction is constant.
    """
    p = predicted.double()
    m = measured.double()
    p = p - p.mean(0)
    m = m - m.mean(0)
    return pearson((p * m).mean(0), p.square().mean(0), m.square().mean(0))


@dataclass(frozen=True)
class Centred:
    """Values of genes as distances from each gene's mean.

    `away` (n_genes, n_spots), `mean` (n_genes,), both float64.
    """

    away: Array
    mean: Array

    @classmethod
    def of(cls, values: NDArray[np.floating]) -> "Centred":
        """Of (n_genes, n_spots)."""
        away = values.astype(np.float64)
        mean = away.mean(axis=1)
        away -= mean[:, None]
        return cls(away, mean)

    @cached_property
    def variance(self) -> Array:
        """Population variance of each gene, (n_genes,)."""
        return self.covariance(self)

    def covariance(self, other: "Centred") -> Array:
        """Of each gene with the same gene of the other, (n_genes,)."""
        # not by BLAS: several threads of ours would wait for its one pool of threads
        return np.einsum("gn,gn->g", self.away, other.away) / self.away.shape[1]


def correlation(predicted: Centred, measured: Centred) -> Array:
    """Pearson, (n_genes,); NaN for what is constant on either side."""
    moments = (predicted.covariance(measured), predicted.variance, measured.variance)
    return pearson(*map(torch.from_numpy, moments)).numpy()


def mean_absolute_error(predicted: Centred, measured: Centred) -> Array:
    """In the target's unit, (n_genes,)."""
    distance = predicted.away - measured.away
    distance += (predicted.mean - measured.mean)[:, None]
    return np.abs(distance, out=distance).mean(axis=1)


def by_gene(values: Tensor) -> NDArray[np.floating]:
    """(n_spots, n_genes) -> (n_genes, n_spots), each gene's values side by side in memory."""
    table = values.detach().cpu().numpy()
    if table.T.flags.c_contiguous:
        return table.T
    out = np.empty(table.shape[::-1], dtype=table.dtype)
    for start in range(0, len(table), ROWS):
        out[:, start : start + ROWS] = table[start : start + ROWS].T
    return out
