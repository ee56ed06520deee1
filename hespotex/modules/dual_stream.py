"""LightningModule of the paper's design with its faults mended."""

from typing import Any

import torch
from torch import Tensor
from torch_geometric.data import Batch

from hespotex.common.errors import InputError
from hespotex.metrics import GeneMoments
from hespotex.modules.base import ExpressionModule, Optimizer, blocks, counted
from hespotex.modules.linear import Readout
from hespotex.nn.dual_stream import DualStreamDecoder
from hespotex.nn.losses import latent_alignment

NUCLEI = ("covariate", "factor", "none")


class DualStreamModule(ExpressionModule):
    """Learns expression from image embeddings by a graph network; a teacher's latents may guide it.

    Args:
        optimizer: partial of a torch optimiser.
        latent_weight: of the alignment with the teacher's latents, beside the squared error's 1.
        correlation_weight: of 1 - gene-wise Pearson, beside the squared error's 1.
        nuclei: "factor" multiplies the expression by 1 + count / highest count of the section, as
            released; "covariate" appends log(1 + count), standardised, to the embedding; "none"
            leaves nuclei out.
        warmup_epochs: the learning rate rises linearly over these, then falls along a cosine to the
            last epoch.
        decoder: see `DualStreamDecoder`.

    Raises:
        InputError: an unknown word for nuclei.
    """

    def __init__(
        self,
        d_image: int,
        n_genes: int,
        optimizer: Optimizer,
        latent_weight: float = 0.1,
        correlation_weight: float = 1.0,
        nuclei: str = "none",
        warmup_epochs: int = 5,
        **decoder: Any,
    ) -> None:
        super().__init__(d_image, n_genes)
        if nuclei not in NUCLEI:
            raise InputError(
                f"model.module.nuclei: expected covariate, factor or none, got {nuclei!r}"
            )
        self.optimizer = optimizer
        self.latent_weight = latent_weight
        self.correlation_weight = correlation_weight
        self.nuclei = nuclei
        self.warmup_epochs = warmup_epochs
        self.decoder = DualStreamDecoder(d_image + (nuclei == "covariate"), n_genes, **decoder)

    @property
    def n_hops(self) -> int:
        """One step for each graph layer."""
        return len(self.decoder.layers)

    def forward(self, batch: Batch) -> tuple[Readout, Tensor]:
        """Standardised genes of the own spots of the batch, and their patch latent (n_inner,
        d_latent).
        """
        x = batch.image_embedding
        if self.nuclei == "covariate":
            x = torch.cat([x, counted(batch, "nuclei_log")], dim=1)
        found = self.decoder(x, batch.edge_index, batch.inner)
        weight, bias = self.decoder.gene_weights()
        features = found.features.float()
        if self.nuclei == "factor":  # (z * std + mean) * factor, put back into units of the spread
            relative = counted(batch, "nuclei") / counted(batch, "nuclei_most").clamp(min=1)
            factor = (1 + relative)[batch.inner]
            shift = self.gene_mean / self.gene_std
            features = factor * torch.cat([features, torch.ones_like(factor)], dim=1)
            weight = torch.cat([weight, (bias + shift)[:, None]], dim=1)
            bias = -shift
        return Readout(features, weight, bias), found.latent.float()

    def in_target_units(self, z: Readout) -> Readout:
        """Expression for standardised genes."""
        weight = z.weight * self.gene_std[:, None]
        return Readout(z.features, weight, z.bias * self.gene_std + self.gene_mean)

    def readout(self, batch: Batch) -> Readout:
        """The prediction, linear in few features."""
        return self.in_target_units(self(batch)[0])

    def expression(self, batch: Batch) -> Tensor:
        """The readout multiplied out, (n_inner, n_genes) float32."""
        return self.readout(batch).expression()

    def moments(self, batch: Batch) -> list[tuple[str, GeneMoments]]:
        """As the parent, from the readout: no table of spots by genes is made."""
        readout = self.readout(batch)
        parts = zip(batch.section_id, blocks(batch), batch.target, strict=True)
        return [(section_id, readout.moments(spots, target)) for section_id, spots, target in parts]

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Squared error, correlation and alignment of each block, each with its weight.

        Raises:
            InputError: an alignment with a teacher that is not there, or nuclei that are not
              counted.
        """
        z, latent = self(batch)
        readout = self.in_target_units(z)
        parts = zip(blocks(batch), batch.target, strict=True)
        losses = [
            self._loss(readout.moments(spots, target), latent, batch, spots)
            for spots, target in parts
        ]
        return self.weighted(losses, batch)

    def _loss(self, moments: GeneMoments, latent: Tensor, batch: Batch, spots: slice) -> Tensor:
        """Of one block, over what was measured; a constant gene counts as r = 0."""
        known = ~moments.mean_m.isnan()  # the gradient of a NaN would be NaN, whatever its weight
        moments = moments.of_genes(known)
        loss = (moments.mse() / self.gene_std[known] ** 2).mean()
        if self.correlation_weight:
            loss = loss + self.correlation_weight * (1 - moments.correlation().mean())
        if self.latent_weight:
            if "latent" not in batch:
                raise InputError(
                    "model.module.latent_weight wants a teacher: add model.teacher.fit=joint"
                )
            loss = loss + self.latent_weight * latent_alignment(latent[spots], batch.latent[spots])
        return loss

    def configure_optimizers(self) -> Any:
        """The optimiser, and the warm-up and cosine that set its rate once an epoch."""
        optimizer = self.optimizer(self.parameters())
        epochs = max(int(self.trainer.max_epochs or 1), 1)

        def scale(epoch: int) -> float:
            warm = min(1.0, (epoch + 1) / max(self.warmup_epochs, 1))
            return warm * 0.5 * (1 + float(torch.cos(torch.tensor(torch.pi * epoch / epochs))))

        return [optimizer], [torch.optim.lr_scheduler.LambdaLR(optimizer, scale)]
