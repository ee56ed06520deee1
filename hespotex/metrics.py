"""Metrics of one section, NaN-aware and in float64; and their training-time form."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchmetrics import Metric

TINY = 1e-10  # variance below which a gene is constant in a section


def gene_pearson(predicted: Tensor, measured: Tensor) -> Tensor:
    """Pearson of each gene over the spots of one section.  (n_spots, n_genes) twice -> (n_genes,) float64

    NaN where the gene was not measured, or is constant in the section on either side: it is left out and counted.
    """
    p, m = predicted.double(), measured.double()
    p, m = p - p.mean(0), m - m.mean(0)
    norm = (p.square().sum(0) * m.square().sum(0)).sqrt()
    constant = (p.square().mean(0) < TINY) | (m.square().mean(0) < TINY)
    return torch.where(constant, torch.nan, (p * m).sum(0) / norm.clamp(min=TINY))


def gene_rmse(predicted: Tensor, measured: Tensor) -> Tensor:
    """Root mean squared error of each gene over the spots of one section, (n_genes,) float64; NaN if not measured."""
    return (predicted.double() - measured.double()).square().mean(0).sqrt()


def summarise(values: NDArray[np.float64]) -> dict[str, float | int]:
    """Mean and median over the genes that have a value, and their number."""
    known = values[np.isfinite(values)]
    nothing = len(known) == 0
    return {
        "mean": float("nan") if nothing else float(known.mean()),
        "median": float("nan") if nothing else float(np.median(known)),
        "n_genes": len(known),
    }


def section_metrics(predicted: Tensor, measured: Tensor) -> dict[str, float | int]:
    """What is reported of a test section: gene-wise Pearson (mean, median, genes scored) and mean RMSE."""
    pcc = summarise(gene_pearson(predicted, measured).cpu().numpy())
    rmse = summarise(gene_rmse(predicted, measured).cpu().numpy())
    return {"pcc_gene": pcc["mean"], "pcc_gene_median": pcc["median"], "n_genes_scored": pcc["n_genes"], "rmse": rmse["mean"]}


class MeanOverSections(Metric):
    """Mean of a per-section value over sections; a section without a value is left out."""

    total: Tensor
    count: Tensor

    def __init__(self) -> None:
        super().__init__(sync_on_compute=False)  # every rank validates all sections: nothing to gather
        self.add_state("total", torch.tensor(0.0, dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("count", torch.tensor(0.0, dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, value: Tensor) -> None:
        if torch.isfinite(value):
            self.total += value.detach().double()
            self.count += 1

    def compute(self) -> Tensor:
        return self.total / self.count
