"""A model: two layers on the embedding of the spot."""

from typing import Any

from torch import Tensor, nn
from torch_geometric.data import Batch

from hespotex.modules.base import ExpressionModule, measured
from hespotex.nn.losses import mean_squared_error


class TwoLayers(ExpressionModule):
    def __init__(self, d_image: int, n_genes: int, width: int, optimizer: Any) -> None:
        super().__init__(d_image, n_genes)
        self.network = nn.Sequential(
            nn.Linear(d_image, width), nn.ReLU(), nn.Linear(width, n_genes)
        )
        self.optimizer = optimizer

    def expression(self, batch: Batch) -> Tensor:
        return self.network(batch.image_embedding) * self.gene_std + self.gene_mean

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        predicted = self.expression(batch) / self.gene_std
        return mean_squared_error(predicted, measured(batch) / self.gene_std)

    def configure_optimizers(self) -> Any:
        return self.optimizer(self.parameters())
