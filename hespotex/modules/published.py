"""LightningModule of the published form."""

from typing import Any

import torch
from torch import Tensor
from torch_geometric.data import Batch

from hespotex.modules.base import ExpressionModule, Optimizer, blocks, counted
from hespotex.nn.losses import latent_alignment, mean_squared_error
from hespotex.nn.published import DualStreamOutput, PublishedDecoder, published_nuclei_factor


class PublishedModule(ExpressionModule):
    """As released: latent alignment + MSE, 1 : 1, one section a step, expression not scaled per
    gene.

    What is wrong with it stands in the README: the epoch is chosen on the test section, the teacher
    has seen it, and the output is shifted by its own minimum.

    Args:
        optimizer: partial of a torch optimiser (released: AdamW, lr 1e-3, weight decay 1e-3).
        d_latent: width of the latent.
    """

    def __init__(
        self, d_image: int, n_genes: int, optimizer: Optimizer, d_latent: int = 64
    ) -> None:
        super().__init__(d_image, n_genes)
        self.optimizer = optimizer
        self.decoder = PublishedDecoder(d_image, n_genes, d_latent)

    @property
    def n_hops(self) -> int:
        return 1

    def forward(self, batch: Batch) -> DualStreamOutput:
        factor = published_nuclei_factor(counted(batch, "nuclei"), counted(batch, "nuclei_most"))
        out: DualStreamOutput = self.decoder(
            batch.image_embedding, batch.edge_index, factor, batch.inner
        )
        return out

    def expression(self, batch: Batch) -> Tensor:
        return self(batch).expression

    def postprocess(self, expression: Tensor) -> Tensor:
        return expression if torch.isinf(self.lowest) else expression - expression.min()

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        out = self(batch)
        losses = []
        for spots, target in zip(blocks(batch), batch.target, strict=True):
            mse = mean_squared_error(out.expression[spots].float(), target.dense())
            losses.append(latent_alignment(out.latent[spots].float(), batch.latent[spots]) + mse)
        return self.weighted(losses, batch)

    def configure_optimizers(self) -> Any:
        return self.optimizer(self.parameters())
