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
        """1, as the graph layers stand side by side and none sees past the neighbours."""
        return 1

    def forward(self, batch: Batch) -> DualStreamOutput:
        """Expression (n_inner, n_genes) and patch latent (n_inner, d_latent) of the own spots.

        Raises:
            InputError: no nuclei counts.
        """
        factor = published_nuclei_factor(counted(batch, "nuclei"), counted(batch, "nuclei_most"))
        out: DualStreamOutput = self.decoder(
            batch.image_embedding, batch.edge_index, factor, batch.inner
        )
        return out

    def expression(self, batch: Batch) -> Tensor:
        """What the decoder gives: it learns the target itself, not units of each gene's spread."""
        return self(batch).expression

    def postprocess(self, expression: Tensor) -> Tensor:
        """Shifted so that the section's lowest value is 0, as released; not so for residuals."""
        return expression if torch.isinf(self.lowest) else expression - expression.min()

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Squared error and latent alignment of each block, one to one."""
        out = self(batch)
        losses = []
        for spots, target in zip(blocks(batch), batch.target, strict=True):
            mse = mean_squared_error(out.expression[spots].float(), target.dense())
            losses.append(latent_alignment(out.latent[spots].float(), batch.latent[spots]) + mse)
        return self.weighted(losses, batch)

    def configure_optimizers(self) -> Any:
        """The optimiser alone: its rate stays as it is."""
        return self.optimizer(self.parameters())
