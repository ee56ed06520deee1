"""Ridge regression on the embeddings, in the same harness."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch_geometric.data import Batch, Data

from hespotex.metrics import gene_pearson
from hespotex.modules.base import ExpressionModule
from hespotex.nn.ridge import NeighbourRidge


class RidgeModule(ExpressionModule):
    """Closed form on all training spots; nothing is left for the epochs.

    Args:
        alphas: penalties to choose from on the validation sections, for embeddings of unit variance; without
            validation sections the middle one is taken.
        neighbours: append the mean embedding of the neighbouring spots.
    """

    def __init__(self, d_image: int, n_genes: int, alphas: list[float], neighbours: bool = False) -> None:
        super().__init__(d_image, n_genes)
        self.alphas, self.automatic_optimization = sorted(alphas), False
        self.linear = NeighbourRidge(d_image, n_genes, self.alphas[len(alphas) // 2], neighbours, rescale=False)

    def fit_closed_form(self, train: Sequence[Data], val: Sequence[Data]) -> None:
        targets = [(section.expression - self.gene_mean) / self.gene_std for section in train]
        scores = {}
        for alpha in self.alphas if val else []:
            self.linear.alpha = alpha
            self.linear.fit(train, targets)
            scores[alpha] = self._score(val)
        self.linear.alpha = max(scores, key=scores.__getitem__, default=self.linear.alpha)
        self.linear.fit(train, targets)

    def _score(self, sections: Sequence[Data]) -> float:
        scores = [gene_pearson(self.expression(section), section.expression).nanmean() for section in sections]
        return float(torch.stack(scores).nanmean())

    def expression(self, batch: Batch | Data) -> Tensor:
        return self.linear(batch.image_embedding, batch.edge_index) * self.gene_std + self.gene_mean

    def training_step(self, batch: Batch, batch_idx: int) -> None:
        """Nothing to do: `fit_closed_form` was called before the first epoch."""

    def configure_optimizers(self) -> None:
        return None
