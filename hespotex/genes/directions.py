"""What the teacher reads of a section: its expression, or the part of it along the main directions
of training.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from hespotex.genes.target import Rows, in_chunks

SAMPLE = 20_000  # training spots that the directions are fitted on, at most


@dataclass(frozen=True)
class Directions:
    """Expression in units of each gene's spread, along some directions of gene space.

    Cost grows with n_components and no longer with n_genes (figures: experiments/speed).

    Args:
        mean, std: of each gene, (n_genes,).
        axes: orthonormal, (n_genes, n_components); None keeps the genes.
    """

    mean: Tensor
    std: Tensor
    axes: Tensor | None

    @classmethod
    def fit(
        cls,
        expression: Sequence[Rows],
        scaling: tuple[Tensor, Tensor],
        n_components: int | None,
        seed: int,
    ) -> "Directions":
        """Principal directions of these sections' spots, or of a sample of many."""
        plain = cls(*scaling, None)
        rng = np.random.default_rng(seed)
        share = min(1.0, SAMPLE / sum(map(len, expression)))
        rows = torch.cat([plain.of(each[_some(len(each), share, rng)]) for each in expression])
        if not n_components or n_components >= min(rows.shape):
            return plain
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return cls(*scaling, torch.pca_lowrank(rows, n_components)[2])

    def __call__(self, expression: Rows) -> Rows:
        """(n_spots, n_genes) -> (n_spots, d)"""
        if self.axes is None:
            return Scaled(self, expression)
        return torch.cat([self.of(rows) for rows in in_chunks(expression)])

    def of(self, expression: Tensor) -> Tensor:
        """(n, n_genes) -> (n, d); genes that were not measured count as their mean."""
        scaled = torch.nan_to_num((expression - self.mean) / self.std)
        return scaled if self.axes is None else scaled @ self.axes


@dataclass(frozen=True)
class Scaled:
    """All genes of a section, made dense where they are looked at."""

    directions: Directions
    expression: Rows

    def __len__(self) -> int:
        return len(self.expression)

    def __getitem__(self, spots: Tensor) -> Tensor:
        return self.directions.of(self.expression[spots])


def _some(n: int, share: float, rng: np.random.Generator) -> Tensor:
    return torch.from_numpy(np.sort(rng.permutation(n)[: int(np.ceil(share * n))]))
