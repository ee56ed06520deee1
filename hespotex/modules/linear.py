"""Predictions that are linear in few features: fitted, scored and learned from without a table of
spots by genes.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch_geometric.data import Batch

from hespotex.metrics import GeneMoments
from hespotex.modules.base import blocks
from hespotex.nn.ridge import RidgeSums


@dataclass(frozen=True)
class Readout:
    """Expression f W^T + b: features f (n, d), weight W (n_genes, d), bias b (n_genes,)."""

    features: Tensor
    weight: Tensor
    bias: Tensor

    def expression(self) -> Tensor:
        """(n, n_genes), in single precision under autocast too"""
        with torch.autocast(self.features.device.type, enabled=False):
            return torch.addmm(self.bias.float(), self.features.float(), self.weight.T.float())

    def moments(self, spots: slice, target: Any) -> GeneMoments:
        """Of these spots, whose measured expression is the target."""
        return GeneMoments.linear(self.features[spots], self.weight, self.bias, target)


def add_up(inputs: Callable[[Batch], Tensor], batches: Iterable[Batch]) -> dict[str, RidgeSums]:
    """What a regression on `inputs` (n_inner, d) must know of each section, which may come in
    blocks.
    """
    sums: dict[str, RidgeSums] = {}
    for batch in batches:
        x = inputs(batch)
        for section_id, spots, target in zip(
            batch.section_id, blocks(batch), batch.target, strict=True
        ):
            part = RidgeSums.of(x[spots], target.mean, target.variance, target.times(x[spots]))
            sums[section_id] = sums[section_id] + part if section_id in sums else part
    return sums
