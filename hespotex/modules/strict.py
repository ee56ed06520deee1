"""LightningModule of the strict form."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch_geometric.data import Batch

from hespotex.errors import InputError
from hespotex.metrics import GeneMoments
from hespotex.modules.base import ExpressionModule, blocks
from hespotex.modules.linear import Readout, add_up
from hespotex.nn.losses import latent_alignment
from hespotex.nn.ridge import NeighbourRidge
from hespotex.nn.strict import StrictDecoder

Optimizer = Callable[[Iterable[Tensor]], torch.optim.Optimizer]


class StrictModule(ExpressionModule):
    """Learns standardised expression from image embeddings, taught by the teacher's spot latents.

    Args:
        optimizer: partial of a torch optimiser.
        latent_weight, mse_weight, correlation_weight: of the three parts of the loss.
        nuclei: "covariate" appends log(1 + count), standardised, to the embedding; "factor" multiplies the
            expression by 1 + count / highest count of the section; "none" leaves nuclei out.
        linear_share: the prediction is this part of a ridge regression on the embeddings of spot and neighbours,
            and the network for the rest. The strongly shrunk linear part holds across patients where a network
            trained on few sections does not; the network is trained alone. 0 for the network only.
        linear_alpha: penalty of the ridge regression.
        d_hidden, d_latent, n_layers, dropout: see `StrictDecoder`.
        warmup_epochs: the learning rate rises linearly over these, then falls along a cosine to the last epoch.
    """

    def __init__(
        self,
        d_image: int,
        n_genes: int,
        optimizer: Optimizer,
        latent_weight: float = 0.1,
        mse_weight: float = 1.0,
        correlation_weight: float = 1.0,
        nuclei: str = "covariate",
        linear_share: float = 0.6,
        linear_alpha: float = 1e4,
        warmup_epochs: int = 5,
        **decoder: Any,
    ) -> None:
        super().__init__(d_image, n_genes)
        if nuclei not in ("covariate", "factor", "none"):
            raise InputError(f"model.module.nuclei: expected covariate, factor or none, got {nuclei!r}")
        self.nuclei, self.optimizer, self.warmup_epochs = nuclei, optimizer, warmup_epochs
        self.latent_weight, self.mse_weight, self.correlation_weight = latent_weight, mse_weight, correlation_weight
        self.linear_share, self.linear = linear_share, NeighbourRidge(d_image, n_genes, linear_alpha)
        self.decoder = StrictDecoder(d_image + (nuclei == "covariate"), n_genes, **decoder)

    @property
    def n_hops(self) -> int:
        return max(len(self.decoder.layers), int(self.linear_share > 0))

    def forward(self, batch: Batch) -> tuple[Readout, Tensor]:
        """The network's standardised expression of the own spots of the batch, as a readout, and their patch latent."""
        x = batch.image_embedding
        if self.nuclei == "covariate":
            x = torch.cat([x, batch.nuclei_log], dim=1)
        found, (weight, bias) = self.decoder(x, batch.edge_index, batch.inner), self.decoder.gene_weights()
        features = found.features.float()
        if self.nuclei == "factor":  # (z * std + mean) * factor, put back into units of the spread
            factor, shift = (1 + batch.nuclei / batch.nuclei_most.clamp(min=1))[batch.inner], self.gene_mean / self.gene_std
            features = factor * torch.cat([features, torch.ones_like(factor)], dim=1)
            weight, bias = torch.cat([weight, (bias + shift)[:, None]], dim=1), -shift
        return Readout(features, weight, bias), found.latent.float()

    def fit_closed_form(self, train: Iterable[Batch], val: Iterable[Batch]) -> None:
        if self.linear_share:
            self.linear.fit(add_up(self.linear, ((batch.image_embedding, batch) for batch in train)), self.gene_std)

    def readout(self, batch: Batch) -> Readout:
        """The prediction in units of the target: the network's part and the linear one."""
        z, _ = self(batch)
        if self.linear_share:
            x = self.linear.inputs(batch.image_embedding, batch.edge_index)[batch.inner] - self.linear.mean
            z = z.mixed(Readout(x, self.linear.weight.T, torch.zeros_like(z.bias)), self.linear_share)
        return Readout(z.features, z.weight * self.gene_std[:, None], z.bias * self.gene_std + self.gene_mean)

    def expression(self, batch: Batch) -> Tensor:
        return self.readout(batch).expression()

    def moments(self, batch: Batch) -> list[tuple[str, GeneMoments]]:
        readout, parts = self.readout(batch), zip(batch.section_id, blocks(batch), batch.target, strict=True)
        return [(section_id, readout.moments(spots, target)) for section_id, spots, target in parts]

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        z, latent = self(batch)
        in_target_units = Readout(z.features, z.weight * self.gene_std[:, None], z.bias * self.gene_std + self.gene_mean)
        losses = [
            self._block_loss(in_target_units.moments(spots, target), latent[spots], batch, spots)
            for spots, target in zip(blocks(batch), batch.target, strict=True)
        ]
        loss = (torch.stack(losses) * batch.weight).sum()
        self.log("train/loss", loss, prog_bar=True, on_step=False, on_epoch=True, sync_dist=True, batch_size=len(losses))
        return loss

    def _block_loss(self, moments: GeneMoments, latent: Tensor, batch: Batch, spots: slice) -> Tensor:
        """Over the genes that were measured; a constant gene counts as r = 0."""
        loss = self.mse_weight * (moments.mse() / self.gene_std.square()).nanmean()
        if self.correlation_weight:
            loss = loss + self.correlation_weight * (1 - moments.correlation().nanmean())
        if self.latent_weight:
            loss = loss + self.latent_weight * latent_alignment(latent, batch.latent[spots])
        return loss

    def configure_optimizers(self) -> Any:
        optimizer = self.optimizer(self.parameters())
        epochs = max(int(self.trainer.max_epochs or 1), 1)

        def scale(epoch: int) -> float:
            warm = min(1.0, (epoch + 1) / max(self.warmup_epochs, 1))
            return warm * 0.5 * (1 + float(torch.cos(torch.tensor(torch.pi * epoch / epochs))))

        return [optimizer], [torch.optim.lr_scheduler.LambdaLR(optimizer, scale)]
