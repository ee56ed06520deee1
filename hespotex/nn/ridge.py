"""Ridge regression in closed form, from sums that are added up batch by batch."""

import torch
from torch import Tensor, nn

from hespotex.nn.published import ALL, Inner
from hespotex.sparse import Edges


class RidgeSums:
    """All that a ridge regression must know of its data, float64: cost linear in spots, memory independent of them."""

    def __init__(self, d: int, n_genes: int) -> None:
        self.n, self.x, self.y = 0, torch.zeros(d).double(), torch.zeros(n_genes).double()
        self.xx, self.xy = torch.zeros(d, d).double(), torch.zeros(d, n_genes).double()

    def add(self, x: Tensor, mean: Tensor, cross: Tensor) -> None:
        """Some spots: inputs x (n, d); of their targets y the mean (n_genes,) and y^T x (n_genes, d)."""
        x = x.double()
        self.n += len(x)
        self.x += x.sum(0)
        self.y += len(x) * mean.double().nan_to_num()
        self.xx += x.T @ x
        self.xy += cross.double().T

    def mean(self) -> Tensor:
        """Of the inputs, (d,)."""
        return self.x / self.n

    def gram(self) -> Tensor:
        """Of the centred inputs, (d, d)."""
        return self.xx - torch.outer(self.x, self.x) / self.n

    def cross(self) -> Tensor:
        """Centred inputs by targets, (d, n_genes)."""
        return self.xy - torch.outer(self.x, self.y) / self.n

    def weights(self, alpha: float) -> Tensor:
        """W minimising |(x - mean) W - (y - mean)|^2 + alpha |W|^2, (d, n_genes) float64."""
        penalty = alpha * torch.eye(len(self.x), dtype=torch.float64)
        return torch.linalg.solve(self.gram() + penalty, self.cross())


class NeighbourRidge(nn.Module):
    """Ridge regression on each spot's embedding and, if asked for, the mean of its neighbours'.

    Args:
        d_image, n_genes: widths.
        alpha: penalty, for embeddings of unit variance.
        neighbours: append the neighbours' mean.
        rescale: undo the penalty's shrinkage of the whole, by one factor that fits the training spots best; the
            direction stays that of the strong penalty.
    """

    weight: Tensor
    mean: Tensor

    def __init__(self, d_image: int, n_genes: int, alpha: float, neighbours: bool = True, rescale: bool = True) -> None:
        super().__init__()
        self.alpha, self.neighbours, self.rescale = alpha, neighbours, rescale
        self.register_buffer("weight", torch.zeros(d_image * (1 + neighbours), n_genes))
        self.register_buffer("mean", torch.zeros(d_image * (1 + neighbours)))

    def fit(self, sums: RidgeSums, unit: Tensor) -> None:
        """Take the weights for the present penalty, for targets in this `unit` (n_genes,), such as their spread."""
        weights = sums.weights(self.alpha) / unit.double()
        if self.rescale:
            fitted = (weights * sums.cross() / unit.double()).sum()
            squares = (weights * (sums.gram() @ weights)).sum()
            weights *= fitted / squares.clamp(min=1e-12)
        self.mean.copy_(sums.mean())
        self.weight.copy_(weights)

    def forward(self, image_embedding: Tensor, edge_index: Tensor, inner: Inner = ALL) -> Tensor:
        """(n, d_image), (2, n_edges) -> standardised expression (n_inner, n_genes)"""
        return (self.inputs(image_embedding, edge_index)[inner] - self.mean) @ self.weight

    def inputs(self, x: Tensor, edge_index: Tensor) -> Tensor:
        """(n, d_image) -> (n, d), with the neighbours' mean if asked for."""
        return torch.cat([x, Edges(edge_index, len(x)).mean(x)], dim=1) if self.neighbours else x
