"""Late fusion of encoders: a regression for each, their predictions mixed."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from hespotex.nn.committee import Centred, Forms, shares_of
from hespotex.nn.ridge import RidgeSums

Pairs = Sequence[tuple[RidgeSums, RidgeSums]]  # spots that train, and spots that were left out


def columns_of(widths: Sequence[int], n_views: int) -> list[Tensor]:
    """The columns of each encoder in inputs that hold the embedding `n_views` times over.

    Args:
        widths: of the encoders, in the order of the embedding's columns.
        n_views: 2 for spot and neighbours.
    """
    spots = torch.split(torch.arange(sum(widths)), list(widths))
    return [torch.cat([own + view * sum(widths) for view in range(n_views)]) for own in spots]


def side_by_side(sums: RidgeSums, columns: Sequence[Tensor], penalties: Sequence[float]) -> Tensor:
    """Weights of each encoder's ridge, 0 for the inputs of the others, (n_encoders, d, n_genes)."""
    weights = sums.xy.new_zeros(len(columns), *sums.xy.shape)
    for whole, own, penalty in zip(weights, columns, penalties, strict=True):
        whole[own] = sums.of_inputs(own).weights(penalty)
    return weights


def fusion_shares(pairs: Pairs, weights: Callable[[RidgeSums], Tensor], n: int) -> Tensor:
    """Share of each of n encoders, by the rule of the committee (`shares_of`).

    Args:
        pairs: that shares are decided on; all are equal without any.
        weights: of the encoders' regressions on some spots, (n, d, n_genes).
        n: encoders.
    """
    forms = [Forms.of(weights(train), Centred.of(test)) for train, test in pairs]
    return shares_of(forms, n)
