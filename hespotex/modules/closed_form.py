"""Base of the predictors that are fitted at once, without epochs."""

import torch
from torch import Tensor
from torch_geometric.data import Batch

from hespotex.modules.base import ExpressionModule


class ClosedFormModule(ExpressionModule):
    """All is done by `fit_closed_form`; nothing is left for the epochs."""

    def __init__(self, d_image: int, n_genes: int) -> None:
        super().__init__(d_image, n_genes)
        self.automatic_optimization = False

    def training_step(self, batch: Batch, batch_idx: int) -> None:
        """Nothing to do: `fit_closed_form` was called before the first epoch."""

    def configure_optimizers(self) -> None:
        return None


class GeneMeanModule(ClosedFormModule):
    """Every spot gets the mean of each gene over the training spots: the errors to beat, and no
    correlation at all.
    """

    def expression(self, batch: Batch) -> Tensor:
        return self.gene_mean.expand(len(batch.spot), -1).to(torch.float32)
