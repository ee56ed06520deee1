"""Predictions that are linear in few features: fitted, scored and learned from without a table of spots by genes."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch_geometric.data import Batch

from hespotex.metrics import GeneMoments
from hespotex.modules.base import blocks
from hespotex.nn.ridge import NeighbourRidge, RidgeSums


@dataclass(frozen=True)
class Readout:
    """Expression f W^T + b: features f (n, d), weight W (n_genes, d), bias b (n_genes,)."""

    features: Tensor
    weight: Tensor
    bias: Tensor

    def expression(self) -> Tensor:
        """(n, n_genes)"""
        return torch.addmm(self.bias, self.features, self.weight.T)

    def moments(self, spots: slice, target: Any) -> GeneMoments:
        """Of these spots, whose measured expression is the target."""
        return GeneMoments.linear(self.features[spots], self.weight, self.bias, target)

    def mixed(self, other: "Readout", share: float) -> "Readout":
        """This for 1 - share, the other for share."""
        weight = torch.cat([(1 - share) * self.weight, share * other.weight], dim=1)
        bias = (1 - share) * self.bias + share * other.bias
        return Readout(torch.cat([self.features, other.features], dim=1), weight, bias)


def add_up(linear: NeighbourRidge, batches: Iterable[tuple[Tensor, Batch]]) -> RidgeSums:
    """What the regression must know of these batches and their inputs (n, d)."""
    sums = RidgeSums(*linear.weight.shape)
    for x, batch in batches:
        add_targets(sums, linear.inputs(x, batch.edge_index)[batch.inner], batch)
    return sums


def add_targets(sums: RidgeSums, x: Tensor, batch: Batch) -> None:
    """Add the spots of a batch with their regressors x (n_inner, d)."""
    for spots, target in zip(blocks(batch), batch.target, strict=True):
        sums.add(x[spots], target.mean, target.times(x[spots]))
