"""Predictions that are linear in few features: fitted, scored and learned from without a table of
spots by genes.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch_geometric.data import Batch

from hespotex.metrics import GeneMoments
from hespotex.modules.base import blocks, weights
from hespotex.nn.ridge import RidgeSums

MOST_PARTS = 40  # of training sections that are left out in turn


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


def parts_of(section_ids: Sequence[str]) -> dict[str, str]:
    """The part that each section is left out with: itself, or beyond `MOST_PARTS` those that come
    after one another. The sums of each part are in memory.
    """
    n = len(section_ids)
    if n <= MOST_PARTS:
        return {section_id: section_id for section_id in section_ids}
    return {section_id: f"part {i * MOST_PARTS // n}" for i, section_id in enumerate(section_ids)}


def add_up(
    inputs: Callable[[Batch], Tensor], batches: Iterable[Batch], part_of: Mapping[str, str]
) -> dict[str, RidgeSums]:
    """What a regression on `inputs` (n_inner, d) must know of each part.

    Args:
        inputs: of a batch.
        batches: of sections, which may come in blocks.
        part_of: sections, see `parts_of`; others are a part each.
    """
    sums: dict[str, RidgeSums] = {}
    for batch in batches:
        x = inputs(batch)
        entries = zip(batch.section_id, blocks(batch), batch.target, weights(batch), strict=True)
        for section_id, spots, target, weight in entries:
            part = RidgeSums.of(x[spots], target.mean, target.variance, target.times(x[spots]))
            part = part if weight is None else part.times(weight)
            name = part_of.get(section_id, section_id)
            sums[name] = sums[name] + part if name in sums else part
    return sums
