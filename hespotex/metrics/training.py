"""Scores while a model trains, added up block by block: memory does not grow with the spots."""

import torch
from torch import Tensor
from torchmetrics import Metric

from hespotex.metrics.moments import GeneMoments


class SectionScores(Metric):
    """Mean over sections of a metric's mean over genes; genes and sections without a value are left
    out.
    """

    def __init__(self) -> None:
        # every rank validates all sections: nothing to gather
        super().__init__(sync_on_compute=False)
        self.moments: dict[str, GeneMoments] = {}

    def update(self, section_id: str, block: GeneMoments) -> None:
        """Add some spots of a section."""
        earlier = self.moments.get(section_id)
        block = block.double()
        self.moments[section_id] = block if earlier is None else earlier + block

    def compute(self) -> dict[str, Tensor]:
        """`pcc_gene`, and `rmse` in the target's unit; NaN where no section has a value."""
        sections = self.moments.values()
        return {
            "pcc_gene": _mean([s.pearson() for s in sections]),
            "rmse": _mean([s.rmse() for s in sections]),
        }

    def reset(self) -> None:
        """Forget all sections."""
        super().reset()
        self.moments = {}


def _mean(of_sections: list[Tensor]) -> Tensor:
    means = [genes.nanmean() for genes in of_sections]
    return torch.stack(means).nanmean().float() if means else torch.tensor(torch.nan)
