"""Of each gene: mean, variance and covariance of prediction and measurement. Losses and scores need
nothing else.
"""

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from hespotex.common.numerics.correlation import TINY, pearson
from hespotex.metrics.genes import Centred

# below any spread that matters: keeps the correlation of a constant gene at 0, with a gradient
EPS = 1e-8


class TargetBlock(Protocol):
    """Measured expression y (n, n_genes) of some spots, kept sparse.

    `mean`, `variance`: of each gene over these spots, (n_genes,); NaN for a gene that was not
    measured.
    """

    mean: Tensor
    variance: Tensor

    def times(self, x: Tensor) -> Tensor:
        """(n, d) -> y^T x, (n_genes, d), differentiable in x; 0 for a gene that was not
        measured.
        """
        ...


@dataclass(frozen=True)
class GeneMoments:
    """Of n spots: means and (co)variances over them, each (n_genes,), of prediction p and
    measurement m.
    """

    n: int
    mean_p: Tensor
    mean_m: Tensor
    var_p: Tensor
    var_m: Tensor
    cov: Tensor

    @classmethod
    def of(cls, predicted: Tensor, measured: Tensor) -> "GeneMoments":
        """Of two tables (n, n_genes)."""
        mean_p = predicted.mean(0)
        mean_m = measured.mean(0)
        p = predicted - mean_p
        m = measured - mean_m
        return cls(len(p), mean_p, mean_m, p.square().mean(0), m.square().mean(0), (p * m).mean(0))

    @classmethod
    def between(cls, predicted: Centred, measured: Centred) -> "GeneMoments":
        """Of genes that are centred already."""
        values = (
            predicted.mean,
            measured.mean,
            predicted.variance,
            measured.variance,
            predicted.covariance(measured),
        )
        return cls(predicted.away.shape[1], *map(torch.from_numpy, values))

    @classmethod
    def linear(
        cls, features: Tensor, weight: Tensor, bias: Tensor, target: TargetBlock
    ) -> "GeneMoments":
        r"""Of :math:`p = f W^T + b`, without ever forming p.

        .. math::
            \mathrm{var}\, p_g = w_g^T\, \mathrm{cov}(f)\, w_g, \qquad \mathrm{cov}(p_g, m_g) =
            w_g^T\, \mathrm{cov}(f, m_g)

        A table of n x n_genes numbers, and its gradient, is what a step on expression costs most of
        its time and memory for; this costs n x d^2, the non-zero counts x d, and n_genes x d^2.

        Args:
            features: f (n, d); weight: W (n_genes, d); bias: b (n_genes,).
        """
        # differences of large sums want single precision
        with torch.autocast(features.device.type, enabled=False):
            features = features.float()
            weight = weight.float()
            bias = bias.float()
            mean_f = features.mean(0)
            f = features - mean_f
            n = len(features)
            spread = f.T @ f / n
            cross = target.times(f) / n
            var_p = ((weight @ spread) * weight).sum(1)
            cov = (weight * cross).sum(1)
            return cls(n, weight @ mean_f + bias, target.mean, var_p, target.variance, cov)

    def of_genes(self, genes: Tensor) -> "GeneMoments":
        """Of some genes, given by their numbers or as a mask (n_genes,)."""
        moments = (self.mean_p, self.mean_m, self.var_p, self.var_m, self.cov)
        return GeneMoments(self.n, *(values[genes] for values in moments))

    def among(self, genes: Tensor, n_genes: int) -> "GeneMoments":
        """Of more genes, of which these, given by their numbers, are known and the others NaN."""
        moments = (self.mean_p, self.mean_m, self.var_p, self.var_m, self.cov)
        unknown = self.mean_p.new_full((n_genes,), torch.nan)
        return GeneMoments(self.n, *(unknown.index_copy(0, genes, values) for values in moments))

    def __add__(self, other: "GeneMoments") -> "GeneMoments":
        """Of the spots of both (Chan et al. 1979)."""
        n = self.n + other.n
        a = self.n / n
        b = other.n / n
        p = other.mean_p - self.mean_p
        m = other.mean_m - self.mean_m
        return GeneMoments(
            n,
            self.mean_p + b * p,
            self.mean_m + b * m,
            a * self.var_p + b * other.var_p + a * b * p * p,
            a * self.var_m + b * other.var_m + a * b * m * m,
            a * self.cov + b * other.cov + a * b * p * m,
        )

    def double(self) -> "GeneMoments":
        """In float64, detached: for adding up many blocks."""
        values = (self.mean_p, self.mean_m, self.var_p, self.var_m, self.cov)
        return GeneMoments(self.n, *(value.detach().double() for value in values))

    def mse(self) -> Tensor:
        """Mean squared error of each gene, (n_genes,); NaN for one that was not measured."""
        shift = self.mean_p - torch.nan_to_num(self.mean_m)
        value = self.var_p + torch.nan_to_num(self.var_m) - 2 * self.cov + shift.square()
        return torch.where(self.mean_m.isnan(), torch.nan, value)

    def rmse(self) -> Tensor:
        """Root of it, in the target's unit."""
        return self.mse().clamp(min=0).sqrt()

    def pearson(self) -> Tensor:
        """(n_genes,); NaN for a gene that is constant on either side, or not measured."""
        return pearson(self.cov, self.var_p, self.var_m)

    def r2(self) -> Tensor:
        """Coefficient of determination: 1 - MSE / var(m), (n_genes,); negative where the section's
        own mean is the better guess.
        """
        return self._where_it_varies(1 - self.mse() / self.var_m)

    def concordance(self) -> Tensor:
        """Lin 1989: 2 cov(p, m) / (var p + var m + (mean p - mean m)^2), (n_genes,); 0 for a
        constant prediction.
        """
        spread = self.var_p + self.var_m + (self.mean_p - self.mean_m).square()
        return self._where_it_varies(2 * self.cov / spread)

    def variance_ratio(self) -> Tensor:
        """var(p) / var(m), (n_genes,): 1 where the prediction spreads as the truth does, 0 where
        it has collapsed.
        """
        return self._where_it_varies(self.var_p / self.var_m)

    def _where_it_varies(self, score: Tensor) -> Tensor:
        return torch.where(self.var_m >= TINY, score, torch.nan)

    def correlation(self) -> Tensor:
        """Pearson with a gradient everywhere: about 0 for a constant gene; NaN for one that was not
        measured.
        """
        spread_m = torch.nan_to_num(self.var_m).clamp(min=0).sqrt()
        value = self.cov / ((self.var_p.clamp(min=0) + EPS**2).sqrt() * spread_m + EPS)
        return torch.where(self.mean_m.isnan(), torch.nan, value)
