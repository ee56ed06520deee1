"""LightningModule of stage 1."""

from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor
from torch_geometric.data import Data

from hespotex.modules.strict import Optimizer
from hespotex.nn.autoencoder import ExpressionAutoencoder


class ExpressionAutoencoderModule(pl.LightningModule):
    """Reconstructs expression through a latent that later teaches the image stream.

    Args:
        n_genes: width of the expression.
        optimizer: partial of a torch optimiser (released: Adam, lr 1e-3, weight decay 1e-4).
        d_hidden, d_latent: see `ExpressionAutoencoder`.
    """

    def __init__(self, n_genes: int, optimizer: Optimizer, d_hidden: int = 512, d_latent: int = 64) -> None:
        super().__init__()
        self.optimizer = optimizer
        self.autoencoder = ExpressionAutoencoder(n_genes, d_hidden, d_latent)

    def training_step(self, batch: Data, batch_idx: int) -> Tensor:
        loss = torch.nn.functional.mse_loss(self.autoencoder(batch.expression, batch.edge_index)[1], batch.expression)
        self.log("teacher/mse", loss, on_step=False, on_epoch=True, prog_bar=True, batch_size=batch.num_nodes)
        return loss

    @torch.no_grad()
    def latent(self, section: Data) -> Tensor:
        """Spot latent (n_spots, d_latent) of one section."""
        return self.autoencoder(section.expression, section.edge_index)[0]

    def configure_optimizers(self) -> Any:
        return self.optimizer(self.parameters())
