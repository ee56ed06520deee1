"""Metrics while a model trains: torchmetrics that see one section at a time."""

from collections.abc import Callable

import torch
from torch import Tensor
from torchmetrics import Metric


class MeanOverSections(Metric):
    """Mean over sections of a metric's mean over genes; genes and sections without a value are left out.

    Args:
        per_gene: (n_spots, n_genes) predicted and measured -> (n_genes,).
    """

    total: Tensor
    count: Tensor

    def __init__(self, per_gene: Callable[[Tensor, Tensor], Tensor]) -> None:
        super().__init__(sync_on_compute=False)  # every rank validates all sections: nothing to gather
        self.per_gene = per_gene
        self.add_state("total", torch.tensor(0.0, dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("count", torch.tensor(0.0, dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, predicted: Tensor, measured: Tensor) -> None:
        """Add one section."""
        values = self.per_gene(predicted.detach(), measured)
        known = values[values.isfinite()]
        if len(known):
            self.total += known.double().mean()
            self.count += 1

    def compute(self) -> Tensor:
        return self.total / self.count
