"""Mean and spread of each gene, which models learn in units of."""

from collections.abc import Iterable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hespotex.common.numerics.moments import CONSTANT, moments
from hespotex.genes.target import Target

Floats = NDArray[np.float64]


def scaling(
    expression: Iterable[Target], weights: Iterable[float] | None = None
) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of each gene, (n_genes,), over all spots; 1 for a gene that does
    not vary.

    Args:
        expression: of each section.
        weights: of a spot of each section; None for all alike.
    """
    mean, std = _alike(expression) if weights is None else _weighted(expression, weights)
    return torch.from_numpy(mean).float(), torch.from_numpy(
        np.where(std > CONSTANT, std, 1.0)
    ).float()


def _alike(expression: Iterable[Target]) -> tuple[Floats, Floats]:
    return moments(expression, _first_spot, lambda target, shift: target.sums(shift))


def _first_spot(target: Target) -> NDArray[np.float32]:
    return target[torch.arange(1)][0].numpy()


def _weighted(expression: Iterable[Target], weights: Iterable[float]) -> tuple[Floats, Floats]:
    """A section counts for the genes that it measured."""
    pairs = zip(expression, weights, strict=True)
    own = [(*_alike([target]), weight * len(target)) for target, weight in pairs]
    mean, std, sums = (np.stack(each) for each in zip(*own, strict=True))
    share = np.where(np.isnan(mean), 0.0, sums[:, None])
    with np.errstate(invalid="ignore"):
        share = share / share.sum(axis=0)
        whole = np.nansum(share * mean, axis=0)
        variance = np.nansum(share * (std**2 + (mean - whole) ** 2), axis=0)
    return np.where(np.isnan(share.sum(axis=0)), np.nan, whole), np.sqrt(variance)
