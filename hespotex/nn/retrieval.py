"""Prediction by the most similar spots that were measured."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

CHUNK = 256  # spots at a time: their neighbours' expression is what takes memory


class Retrieval(nn.Module):
    """Mean expression of the `k` training spots whose embeddings have the highest cosine to the
    query's; for a gene, of those of them that measured it, and NaN where none did.

    Embeddings are standardised by the training spots first. The training spots are kept, in the
    state dict too.
    """

    mean: Tensor
    std: Tensor
    keys: Tensor
    values: Tensor

    def __init__(self, d_image: int, n_genes: int, k: int) -> None:
        super().__init__()
        self.k = k
        self.register_buffer("mean", torch.zeros(d_image))
        self.register_buffer("std", torch.ones(d_image))
        self.register_buffer("keys", torch.zeros(0, d_image))
        self.register_buffer("values", torch.zeros(0, n_genes))

    def fit(self, x: Tensor, y: Tensor) -> None:
        """Keep embeddings (n, d_image) and expression (n, n_genes) of the training spots."""
        self.mean = x.mean(0)
        self.std = x.std(0, correction=0).clamp(min=1e-6)
        self.keys = self._direction(x)
        self.values = y.clone()

    def forward(self, x: Tensor) -> Tensor:
        """(n, d_image) -> (n, n_genes)"""
        mean = torch.nanmean if self.values.isnan().any() else torch.mean
        parts = torch.split(self._direction(x), CHUNK)
        return torch.cat([mean(self.values[self._nearest(part)], 1) for part in parts])

    def _direction(self, x: Tensor) -> Tensor:
        return normalize((x - self.mean) / self.std, dim=1)

    def _nearest(self, directions: Tensor) -> Tensor:
        return (directions @ self.keys.T).topk(min(self.k, len(self.keys)), dim=1).indices

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        for name in ("keys", "values"):  # as many rows as there were training spots
            setattr(
                self, name, torch.empty_like(state_dict[prefix + name], device=self.mean.device)
            )
        super()._load_from_state_dict(state_dict, prefix, *args)
