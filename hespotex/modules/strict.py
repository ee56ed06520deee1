"""LightningModule of the strict form."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch_geometric.data import Batch, Data

from hespotex.errors import InputError
from hespotex.modules.base import ExpressionModule, sections
from hespotex.modules.inputs import standardised_log
from hespotex.nn.losses import gene_correlation, latent_alignment, mean_over_genes
from hespotex.nn.published import DualStreamOutput
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

    def forward(self, batch: Batch) -> DualStreamOutput:
        """Standardised expression and patch latent of all spots of the batch."""
        x = batch.image_embedding
        if self.nuclei == "covariate":
            x = torch.cat([x, torch.cat([standardised_log(batch.nuclei[spots]) for spots in sections(batch)])], dim=1)
        out: DualStreamOutput = self.decoder(x, batch.edge_index)
        if self.nuclei == "factor":
            factor = torch.cat([1 + n / n.max().clamp(min=1) for n in (batch.nuclei[spots] for spots in sections(batch))])
            expression = (out.expression * self.gene_std + self.gene_mean) * factor
            out = out._replace(expression=(expression - self.gene_mean) / self.gene_std)
        return out

    def fit_closed_form(self, train: Sequence[Data], val: Sequence[Data]) -> None:
        self.linear.fit(train, [(section.expression - self.gene_mean) / self.gene_std for section in train])

    def expression(self, batch: Batch) -> Tensor:
        z = self(batch).expression
        z = (1 - self.linear_share) * z + self.linear_share * self.linear(batch.image_embedding, batch.edge_index)
        return z * self.gene_std + self.gene_mean

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        out, target = self(batch), (batch.expression - self.gene_mean) / self.gene_std
        losses = [self._section_loss(out, target, batch, spots) for spots in sections(batch)]
        loss = (torch.stack(losses) * batch.weight).sum()
        self.log("train/loss", loss, prog_bar=True, on_step=False, on_epoch=True, sync_dist=True, batch_size=len(losses))
        return loss

    def _section_loss(self, out: DualStreamOutput, target: Tensor, batch: Batch, spots: slice) -> Tensor:
        predicted, measured = out.expression[spots], target[spots]
        loss = self.mse_weight * mean_over_genes((predicted - measured).square())
        if self.correlation_weight:
            loss = loss + self.correlation_weight * gene_correlation(predicted, measured)
        if self.latent_weight:
            loss = loss + self.latent_weight * latent_alignment(out.latent[spots], batch.latent[spots])
        return loss

    def configure_optimizers(self) -> Any:
        optimizer = self.optimizer(self.parameters())
        epochs = max(int(self.trainer.max_epochs or 1), 1)

        def scale(epoch: int) -> float:
            warm = min(1.0, (epoch + 1) / max(self.warmup_epochs, 1))
            return warm * 0.5 * (1 + float(torch.cos(torch.tensor(torch.pi * epoch / epochs))))

        return [optimizer], [torch.optim.lr_scheduler.LambdaLR(optimizer, scale)]
