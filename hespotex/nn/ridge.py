"""Ridge regression in closed form, from sums that are added up batch by batch."""

from dataclasses import dataclass
from typing import Any

import torch
from scipy.linalg.blas import dsyrk
from torch import Tensor, nn

from hespotex.common.numerics.correlation import pearson
from hespotex.common.numerics.sparse import Edges
from hespotex.nn.inner import ALL, Inner


@dataclass
class RidgeSums:
    """All that a ridge regression must know of some spots, float64: cost linear in spots, memory
    independent of them.

    Of inputs x (n, d) and targets y (n, n_genes): their number and the sums of x, y, y^2, x^T x and
    x^T y.
    """

    n: float
    x: Tensor
    y: Tensor
    yy: Tensor
    xx: Tensor
    xy: Tensor

    @classmethod
    def of(cls, x: Tensor, mean: Tensor, variance: Tensor, cross: Tensor) -> "RidgeSums":
        """Of spots with inputs x; of their targets mean and variance (n_genes,), and y^T x
        (n_genes, d).

        A gene that was not measured counts as 0.
        """
        x = x.double()
        mean = mean.double().nan_to_num()
        variance = variance.double().nan_to_num()
        n = len(x)
        yy = n * (variance + mean.square())
        return cls(n, x.sum(0), n * mean, yy, own_products(x), cross.double().T)

    def __add__(self, other: "RidgeSums") -> "RidgeSums":
        """Of the spots of both."""
        sums = (a + b for a, b in zip(self._sums(), other._sums(), strict=True))
        return RidgeSums(self.n + other.n, *sums)

    def __sub__(self, other: "RidgeSums") -> "RidgeSums":
        """Of the spots of this that are not the other's."""
        sums = (a - b for a, b in zip(self._sums(), other._sums(), strict=True))
        return RidgeSums(self.n - other.n, *sums)

    def of_inputs(self, columns: Tensor) -> "RidgeSums":
        """The same for some of the inputs, given by their numbers."""
        xx = self.xx[columns][:, columns]
        return RidgeSums(self.n, self.x[columns], self.y, self.yy, xx, self.xy[columns])

    def of_genes(self, genes: Tensor) -> "RidgeSums":
        """The same for some of the targets, given by their numbers."""
        return RidgeSums(self.n, self.x, self.y[genes], self.yy[genes], self.xx, self.xy[:, genes])

    def times(self, weight: float) -> "RidgeSums":
        """Of the same spots, each of which counts so many times."""
        return RidgeSums(weight * self.n, *(weight * own for own in self._sums()))

    def _sums(self) -> tuple[Tensor, ...]:
        return self.x, self.y, self.yy, self.xx, self.xy

    def gram(self) -> Tensor:
        """Of the centred inputs, (d, d)."""
        return self.xx - torch.outer(self.x, self.x) / self.n

    def cross(self) -> Tensor:
        """Centred inputs by targets, (d, n_genes)."""
        return self.xy - torch.outer(self.x, self.y) / self.n

    def variance(self) -> Tensor:
        """Of each gene, (n_genes,)."""
        return (self.yy / self.n - (self.y / self.n).square()).clamp(min=0)

    def weights(self, alpha: float) -> Tensor:
        """W minimising |(x - mean) W - (y - mean)|^2 + alpha |W|^2, (d, n_genes) float64."""
        return torch.linalg.solve(
            self.gram() + alpha * torch.eye(len(self.x), dtype=torch.float64), self.cross()
        )

    def pearson(self, weights: Tensor) -> Tensor:
        """Correlation of x W with y for each gene over these spots, (n_genes,); NaN for a constant
        gene.
        """
        predicted = (weights * (self.gram() @ weights)).sum(0) / self.n
        measured = self.variance()
        covariance = (weights * self.cross()).sum(0) / self.n
        return pearson(covariance, predicted, measured)


def own_products(x: Tensor) -> Tensor:
    """x^T x, (d, d), of x (n, d) float64; as it is symmetric, BLAS computes half of it."""
    upper = torch.from_numpy(dsyrk(1.0, x.cpu().numpy().T)).triu().to(x.device)
    return upper + upper.triu(1).T


class Biased(nn.Module):
    """A module with a `bias` (n_genes,), which checkpoints of before 29 November 2026 lack."""

    bias: Tensor

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        state_dict.setdefault(f"{prefix}bias", torch.zeros_like(self.bias))
        super()._load_from_state_dict(state_dict, prefix, *args)


class NeighbourRidge(Biased):
    """Ridge regression on each spot's embedding and, if asked for, the mean of its neighbours'.

    Args:
        d_image, n_genes: widths.
        neighbours: append the neighbours' mean.
    """

    weight: Tensor
    mean: Tensor

    def __init__(self, d_image: int, n_genes: int, neighbours: bool = True) -> None:
        super().__init__()
        self.neighbours = neighbours
        self.register_buffer("weight", torch.zeros(d_image * (1 + neighbours), n_genes))
        self.register_buffer("mean", torch.zeros(d_image * (1 + neighbours)))
        self.register_buffer("bias", torch.zeros(n_genes))

    def take(self, sums: RidgeSums, weights: Tensor) -> None:
        """Take over the mean of the inputs of these spots, and weights (d, n_genes)."""
        self.mean.copy_(sums.x / sums.n)
        self.weight.copy_(weights)

    def forward(self, image_embedding: Tensor, edge_index: Tensor, inner: Inner = ALL) -> Tensor:
        """(n, d_image), (2, n_edges) -> expression less the mean of each gene, (n_inner,
        n_genes)
        """
        x = self.inputs(image_embedding, edge_index)[inner]
        return (x - self.mean) @ self.weight + self.bias

    def inputs(self, x: Tensor, edge_index: Tensor) -> Tensor:
        """(n, d_image) -> (n, d), with the neighbours' mean if asked for."""
        return torch.cat([x, Edges(edge_index, len(x)).mean(x)], dim=1) if self.neighbours else x
