"""LightningModule of stage 1."""

from collections.abc import Iterable
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor
from torch_geometric.data import Batch

from hespotex.modules.base import Optimizer, collect
from hespotex.nn.autoencoder import ExpressionAutoencoder


class ExpressionAutoencoderModule(pl.LightningModule):
    """Reconstructs expression through a latent that later teaches the image stream.

    Args:
        n_genes: width of the expression, or of what stands for it.
        optimizer: partial of a torch optimiser (released: Adam, lr 1e-3, weight decay 1e-4).
        d_hidden, d_latent: see `ExpressionAutoencoder`.
    """

    def __init__(
        self, n_genes: int, optimizer: Optimizer, d_hidden: int = 512, d_latent: int = 64
    ) -> None:
        super().__init__()
        self.optimizer = optimizer
        self.autoencoder = ExpressionAutoencoder(n_genes, d_hidden, d_latent)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Mean squared error of the own spots of the batch, logged as `teacher/mse`."""
        found = self.autoencoder(batch.expression, batch.edge_index)[1]
        loss = torch.nn.functional.mse_loss(
            found[batch.inner].float(), batch.expression[batch.inner]
        )
        self.log(
            "teacher/mse",
            loss,
            on_step=False,
            on_epoch=True,
            prog_bar=True,
            batch_size=len(batch.spot),
        )
        return loss

    @torch.no_grad()
    def latents(self, batches: Iterable[Batch]) -> dict[str, Tensor]:
        """Spot latents `{section_id: (n_spots, d_latent)}` of sections that come whole or in
        blocks.
        """
        return collect(
            batches,
            lambda batch: self.autoencoder(batch.expression, batch.edge_index)[0][batch.inner],
        )

    def configure_optimizers(self) -> Any:
        """The optimiser alone: its rate stays as it is."""
        return self.optimizer(self.parameters())
