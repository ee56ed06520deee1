"""Ridge regression in closed form."""

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor, nn

from hespotex.nn.aggregate import neighbour_mean


class ImageGraph(Protocol):
    """One section: `image_embedding` (n, d_image) and `edge_index` (2, n_edges)."""

    image_embedding: Tensor
    edge_index: Tensor


def ridge_weights(x: Tensor, y: Tensor, alpha: float) -> Tensor:
    """W minimising |x W - y|^2 + alpha |W|^2, in float64.  (n, d), (n, n_genes) -> (d, n_genes) float32

    x and y are centred by the caller: there is no intercept.
    """
    x, y = x.double(), y.double()
    gram = x.T @ x + alpha * torch.eye(x.shape[1], dtype=torch.float64, device=x.device)
    return torch.linalg.solve(gram, x.T @ y).float()


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

    def fit(self, train: Sequence[ImageGraph], targets: Sequence[Tensor]) -> None:
        """Fit on these sections; targets (n_spots, n_genes) are standardised expression."""
        x, y = torch.cat([self._inputs(s.image_embedding, s.edge_index) for s in train]), torch.cat(list(targets))
        self.mean.copy_(x.mean(dim=0))
        self.weight.copy_(ridge_weights(x - self.mean, y, self.alpha))
        if self.rescale:
            fitted = (x - self.mean) @ self.weight
            self.weight.mul_((fitted * y).sum() / fitted.square().sum().clamp(min=1e-12))

    def forward(self, image_embedding: Tensor, edge_index: Tensor) -> Tensor:
        """(n, d_image), (2, n_edges) -> standardised expression (n, n_genes)"""
        return (self._inputs(image_embedding, edge_index) - self.mean) @ self.weight

    def _inputs(self, x: Tensor, edge_index: Tensor) -> Tensor:
        return torch.cat([x, neighbour_mean(x, edge_index)], dim=1) if self.neighbours else x
