"""Nearest-neighbour retrieval in the same harness."""

from collections.abc import Iterable

import torch
from torch import Tensor
from torch_geometric.data import Batch

from hespotex.modules.base import measured
from hespotex.modules.closed_form import ClosedFormModule
from hespotex.nn.retrieval import Retrieval


class RetrievalModule(ClosedFormModule):
    """Uniform mean of the most similar training spots, as BLEEP (Xie et al. 2023) reads its joint
    space out.

    Here the space is that of the frozen embeddings: no contrastive training.

    Args:
        k: training spots that are averaged; BLEEP has 50.
    """

    fits_missing = True

    def __init__(self, d_image: int, n_genes: int, k: int = 50) -> None:
        super().__init__(d_image, n_genes)
        self.retrieval = Retrieval(d_image, n_genes, k)

    def fit_closed_form(self, train: Iterable[Batch], val: Iterable[Batch]) -> None:
        """Keep embeddings and expression of all training spots; validation is not looked at."""
        parts = [(batch.image_embedding, measured(batch)) for batch in train]
        self.retrieval.fit(torch.cat([x for x, _ in parts]), torch.cat([y for _, y in parts]))

    def expression(self, batch: Batch) -> Tensor:
        """(n_inner, n_genes); a gene that none of the nearest spots measured gets its training
        mean.
        """
        near: Tensor = self.retrieval(batch.image_embedding)
        return torch.where(near.isnan(), self.gene_mean, near)  # no near spot measured the gene
