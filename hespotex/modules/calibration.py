"""Spread and level of each gene's prediction, put right by what left-out training sections show."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from hespotex.metrics import GeneMoments

WITHIN = 4.0  # times a gene's slope may lie above or below that of all genes
TINY = 1e-12


class Calibration(nn.Module):
    """centre + shift + slope * (x - centre) of each gene: as it came until it is fitted.

    The slope is positive, so no spot changes its rank and no correlation its value. It depends on
    the gene alone: a spot gets the same value whatever else is predicted.
    """

    centre: Tensor
    shift: Tensor
    slope: Tensor

    def __init__(self, n_genes: int) -> None:
        super().__init__()
        self.register_buffer("centre", torch.zeros(n_genes))
        self.register_buffer("shift", torch.zeros(n_genes))
        self.register_buffer("slope", torch.ones(n_genes))

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        for name, value in self.named_buffers():  # checkpoints of before 30 November 2026 lack them
            state_dict.setdefault(f"{prefix}{name}", torch.full_like(value, float(name == "slope")))
        super()._load_from_state_dict(state_dict, prefix, *args)

    def forward(self, x: Tensor) -> Tensor:
        """(n, n_genes) -> (n, n_genes); the same table where nothing was fitted."""
        if not self.shift.any() and bool((self.slope == 1).all()):
            return x
        offset = self.shift + self.centre * (1 - self.slope)
        return torch.addcmul(offset.to(x.device), x, self.slope.to(x.device))

    @torch.no_grad()
    def fit(self, left_out: Mapping[str, Sequence[GeneMoments]], centre: Tensor) -> None:
        """Take slope and shift of each gene from predictions of sections that did not train.

        Both are drawn towards what is known without the gene, as if by one group more: the slope
        towards that of all genes, the shift towards 0.

        Args:
            left_out: of each group, the moments of its sections.
            centre: level of each gene around which the model predicts, (n_genes,).
        """
        sections = [own.double() for moments in left_out.values() for own in moments]
        self.slope.copy_(_slopes(sections))
        self.centre.copy_(centre)
        misses = [
            _mean_known([own.mean_m.double() - own.mean_p.double() for own in moments])
            for moments in left_out.values()
        ]
        known = torch.stack(misses).isfinite().sum(0)
        self.shift.copy_(torch.stack(misses).nan_to_num().sum(0) / (known + 1))


def _slopes(sections: Sequence[GeneMoments]) -> Tensor:
    """Of measured on predicted within the sections, (n_genes,)."""
    known = torch.stack([own.mean_m.isfinite() for own in sections])
    spread = torch.stack([own.var_p for own in sections]).where(known, 0.0).sum(0)
    cov = torch.stack([own.cov.nan_to_num() for own in sections]).sum(0)
    shared = cov.sum() / spread.sum().clamp(min=TINY)
    if not shared > 0:
        return torch.ones_like(cov)
    one_more = spread / known.sum(0).clamp(min=1)
    slope = (cov + shared * one_more) / (spread + one_more).clamp(min=TINY)
    slope = torch.where(spread > TINY, slope, shared)
    return slope.clamp(float(shared) / WITHIN, float(shared) * WITHIN)


def _mean_known(values: Sequence[Tensor]) -> Tensor:
    """Mean over those that are numbers, (n_genes,); NaN without any."""
    return torch.stack(list(values)).double().nanmean(0)
