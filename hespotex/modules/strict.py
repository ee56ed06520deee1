"""LightningModule of the strict form."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor
from torch_geometric.data import Batch

from hespotex.errors import InputError
from hespotex.metrics import GeneMoments
from hespotex.modules.base import ExpressionModule, Optimizer, blocks, counted
from hespotex.modules.linear import Readout, add_up
from hespotex.nn.losses import latent_alignment
from hespotex.nn.programmes import ProgrammeRidge, Scale
from hespotex.nn.strict import StrictDecoder


class StrictModule(ExpressionModule):
    """Learns expression from image embeddings: a regression of low rank and a graph network beside it.

    Args:
        optimizer: partial of a torch optimiser.
        latent_weight, mse_weight, correlation_weight: of the three parts of the loss.
        nuclei: "covariate" appends log(1 + count), standardised, to the embedding; "factor" multiplies the
            expression by 1 + count / highest count of the section; "none" leaves nuclei out.
        linear_share: the prediction is this part of a reduced-rank ridge regression on the embeddings of the spot and its
            region, and the network for the rest. The network is trained alone. 0 for the network only.
        linear_alpha, linear_rank, linear_hops: see `ProgrammeRidge`.
        learn: what the network learns: "programmes", how strong the programmes of the ridge regression are, which has
            next to none of the noise of single genes; or "genes", each gene.
        d_hidden, d_latent, n_layers, dropout: see `StrictDecoder`.
        warmup_epochs: the learning rate rises linearly over these, then falls along a cosine to the last epoch.

    Raises:
        InputError: words that are not known or do not go together.
    """

    def __init__(
        self,
        d_image: int,
        n_genes: int,
        optimizer: Optimizer,
        latent_weight: float = 0.0,
        mse_weight: float = 1.0,
        correlation_weight: float = 0.0,
        nuclei: str = "none",
        linear_share: float = 0.8,
        linear_alpha: float = 0.35,
        linear_rank: int = 12,
        linear_hops: int = 2,
        learn: str = "programmes",
        warmup_epochs: int = 5,
        **decoder: Any,
    ) -> None:
        super().__init__(d_image, n_genes)
        if nuclei not in ("covariate", "factor", "none"):
            raise InputError(f"model.module.nuclei: expected covariate, factor or none, got {nuclei!r}")
        if learn not in ("programmes", "genes"):
            raise InputError(f"model.module.learn: expected programmes or genes, got {learn!r}")
        if learn == "programmes" and nuclei == "factor":
            raise InputError("model.module.nuclei=factor multiplies genes: it needs model.module.learn=genes")
        self.nuclei, self.optimizer, self.warmup_epochs = nuclei, optimizer, warmup_epochs
        self.latent_weight, self.mse_weight, self.correlation_weight = latent_weight, mse_weight, correlation_weight
        self.learn, self.linear_share, self.scales = learn, linear_share, dict[str, Scale]()
        self.linear = ProgrammeRidge(d_image, n_genes, linear_alpha, linear_rank, linear_hops)
        width = self.linear.rank if learn == "programmes" else n_genes
        self.decoder = StrictDecoder(d_image + (nuclei == "covariate"), width, **decoder)

    @property
    def regresses(self) -> bool:
        """Whether the regression is fitted: it is part of the prediction, or of what the network learns."""
        return self.learn == "programmes" or self.linear_share > 0

    @property
    def n_hops(self) -> int:
        return max(len(self.decoder.layers), self.linear.hops if self.regresses else 0)

    def fit_closed_form(self, train: Iterable[Batch], val: Iterable[Batch]) -> None:
        if self.regresses:
            sums = add_up(lambda b: self.linear.inputs(b.image_embedding, b.edge_index)[b.inner], train)
            self.scales = self.linear.fit(sums, self.gene_std)
            self.linear.fit_unit(
                self._scores(*part) for batch in train for part in zip(batch.section_id, batch.target, strict=True)
            )

    def forward(self, batch: Batch) -> tuple[Readout, Tensor]:
        """What the network says of the own spots of the batch, programmes or standardised genes, and their patch latent."""
        x = batch.image_embedding
        if self.nuclei == "covariate":
            x = torch.cat([x, counted(batch, "nuclei_log")], dim=1)
        found, (weight, bias) = self.decoder(x, batch.edge_index, batch.inner), self.decoder.gene_weights()
        features = found.features.float()
        if self.nuclei == "factor":  # (z * std + mean) * factor, put back into units of the spread
            relative = counted(batch, "nuclei") / counted(batch, "nuclei_most").clamp(min=1)
            factor, shift = (1 + relative)[batch.inner], self.gene_mean / self.gene_std
            features = factor * torch.cat([features, torch.ones_like(factor)], dim=1)
            weight, bias = torch.cat([weight, (bias + shift)[:, None]], dim=1), -shift
        return Readout(features, weight, bias), found.latent.float()

    def in_target_units(self, z: Readout) -> Readout:
        """The expression that the network's words stand for."""
        if self.learn == "programmes":
            return Readout(z.expression(), self.linear.gene_weights() * self.linear.unit, self.gene_mean)
        return Readout(z.features, z.weight * self.gene_std[:, None], z.bias * self.gene_std + self.gene_mean)

    def readout(self, batch: Batch) -> Readout:
        """The prediction: the network's part and the linear one."""
        network = self.in_target_units(self(batch)[0])
        if not self.linear_share:
            return network
        scores = self.linear(batch.image_embedding, batch.edge_index, batch.inner)
        return network.mixed(Readout(scores, self.linear.gene_weights(), self.gene_mean), self.linear_share)

    def expression(self, batch: Batch) -> Tensor:
        return self.readout(batch).expression()

    def moments(self, batch: Batch) -> list[tuple[str, GeneMoments]]:
        readout, parts = self.readout(batch), zip(batch.section_id, blocks(batch), batch.target, strict=True)
        return [(section_id, readout.moments(spots, target)) for section_id, spots, target in parts]

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        z, latent = self(batch)
        parts = zip(batch.section_id, blocks(batch), batch.target, strict=True)
        losses = [self._block_loss(self._learned(z, *part), latent, batch, part[1]) for part in parts]
        loss = (torch.stack(losses) * batch.weight).sum()
        self.log("train/loss", loss, prog_bar=True, on_step=False, on_epoch=True, sync_dist=True, batch_size=len(losses))
        return loss

    def _learned(self, z: Readout, section_id: str, spots: slice, target: Any) -> tuple[GeneMoments, Tensor | float]:
        """Moments of what is learned and what was measured, and the unit that errors are counted in."""
        if self.learn == "programmes":
            return GeneMoments.of(z.expression()[spots], self._scores(section_id, target)), 1.0
        return self.in_target_units(z).moments(spots, target), self.gene_std

    def _scores(self, section_id: str, target: Any) -> Tensor:
        """How strong the programmes are in measured expression, (n, rank)."""
        weight, shift = self.linear.measured(self.scales[section_id])
        scores: Tensor = target.project(weight) - shift
        return scores

    def _block_loss(self, learned: tuple[GeneMoments, Tensor | float], latent: Tensor, batch: Batch, spots: slice) -> Tensor:
        """Over what was measured; a constant gene counts as r = 0."""
        moments, unit = learned
        loss = self.mse_weight * (moments.mse() / unit**2).nanmean()
        if self.correlation_weight:
            loss = loss + self.correlation_weight * (1 - moments.correlation().nanmean())
        if self.latent_weight:
            if "latent" not in batch:
                raise InputError("model.module.latent_weight wants a teacher: add model.teacher.fit=joint")
            loss = loss + self.latent_weight * latent_alignment(latent[spots], batch.latent[spots])
        return loss

    def configure_optimizers(self) -> Any:
        optimizer = self.optimizer(self.parameters())
        epochs = max(int(self.trainer.max_epochs or 1), 1)

        def scale(epoch: int) -> float:
            warm = min(1.0, (epoch + 1) / max(self.warmup_epochs, 1))
            return warm * 0.5 * (1 + float(torch.cos(torch.tensor(torch.pi * epoch / epochs))))

        return [optimizer], [torch.optim.lr_scheduler.LambdaLR(optimizer, scale)]
