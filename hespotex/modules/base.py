"""What every predictor shares: validation, test and prediction of whole sections."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor
from torch_geometric.data import Batch, Data

from hespotex.errors import InputError
from hespotex.metrics import MeanOverSections, gene_pearson, gene_rmse


class ExpressionModule(pl.LightningModule):
    """Base of the predictors: a subclass gives `expression(batch)` in units of the target.

    The mean and standard deviation of each gene over the training spots travel in the checkpoint as buffers, and
    networks learn in units of them; so does `lowest`, which no target is below: 0 for log counts, else -infinity.
    """

    gene_mean: Tensor
    gene_std: Tensor
    lowest: Tensor

    def __init__(self, d_image: int, n_genes: int) -> None:
        super().__init__()
        self.d_image, self.n_genes = d_image, n_genes
        self.register_buffer("gene_mean", torch.zeros(n_genes))
        self.register_buffer("gene_std", torch.ones(n_genes))
        self.register_buffer("lowest", torch.tensor(0.0))
        self.val_pcc, self.val_rmse = MeanOverSections(gene_pearson), MeanOverSections(gene_rmse)

    def set_scaling(self, mean: Tensor, std: Tensor, lowest: float = 0.0) -> None:
        """Take over the training sections' mean and standard deviation of each gene, and the target's lower bound."""
        self.lowest.fill_(lowest)
        self.gene_mean.copy_(mean)
        self.gene_std.copy_(std)

    def fit_closed_form(self, train: Sequence[Data], val: Sequence[Data]) -> None:
        """Fit what needs no epochs; called once, after `set_scaling` and before training."""

    def expression(self, batch: Batch) -> Tensor:
        """Predicted expression (n_spots, n_genes) of all sections of the batch."""
        raise NotImplementedError

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        predicted = self._checked(batch)
        for spots in sections(batch):
            self.val_pcc.update(predicted[spots], batch.expression[spots])
            self.val_rmse.update(predicted[spots], batch.expression[spots])

    def on_validation_epoch_end(self) -> None:
        for name, metric in (("val/pcc_gene", self.val_pcc), ("val/rmse", self.val_rmse)):
            self.log(name, metric.compute().float(), prog_bar=True)
            metric.reset()

    def test_step(self, batch: Batch, batch_idx: int) -> dict[str, Any]:
        return self.predict_step(batch, batch_idx)

    def predict_step(self, batch: Batch, batch_idx: int, dataloader_idx: int = 0) -> dict[str, Any]:
        """Predicted expression of each section of the batch, as `{section_id: (n_spots, n_genes)}`."""
        predicted = self._checked(batch).float()
        parts = zip(batch.section_id, sections(batch), strict=True)
        return {name: self.postprocess(predicted[spots]).cpu() for name, spots in parts}

    def _checked(self, batch: Batch) -> Tensor:
        """`expression`, if it has the shape that it should have."""
        predicted, wanted = self.expression(batch), (batch.num_nodes, self.n_genes)
        if tuple(predicted.shape) != wanted:
            found = tuple(predicted.shape)
            raise InputError(f"{type(self).__name__}.expression: expected (n_spots, n_genes) = {wanted}, got {found}")
        return predicted

    def postprocess(self, expression: Tensor) -> Tensor:
        """Of one section: no value is below what the target can be."""
        return expression.clamp(min=self.lowest)


def sections(batch: Batch) -> list[slice]:
    """The spots of each section of a batch."""
    ends = batch.ptr.tolist()
    return [slice(start, end) for start, end in pairwise(ends)]
