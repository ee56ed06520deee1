"""Correlation of what is left when each spot's depth, or its nuclei, is taken out."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hespotex.metrics.genes import gene_pearson
from hespotex.metrics.section import Measured

BLOCK = 250  # genes at a time
LEAST = 1e-4  # spread that is left of a gene, in units of its whole: less is rounding


def pearson_given(
    predicted: Tensor, measured: Measured, given: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Partial Pearson correlation over spots for each gene, (n_genes,); NaN where nothing is left.

    A line in `given` is taken out of both sides.

    Args:
        predicted, measured: (n_spots, n_genes).
        given: (n_spots,).
    """
    columns = [np.ones(len(given)), *([given - given.mean()] if np.ptp(given) > 0 else [])]
    axes = torch.from_numpy(np.linalg.qr(np.stack(columns, axis=1))[0])
    n_genes = predicted.shape[1]
    scores = []
    for start in range(0, n_genes, BLOCK):
        stop = min(start + BLOCK, n_genes)
        p = _left(predicted[:, start:stop].double(), axes)
        m = _left(measured.genes(start, stop).double(), axes)
        scores.append(gene_pearson(p, m))
    return torch.cat(scores).numpy()


def _left(values: Tensor, axes: Tensor) -> Tensor:
    """The values less their fit by the axes; constant where hardly anything is left."""
    left = values - axes @ (axes.T @ values)
    little = left.std(0) <= LEAST * values.std(0)
    return torch.where(little, torch.zeros_like(left), left)
