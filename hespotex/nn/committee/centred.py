"""Regressions of low rank read off centred sums."""

from dataclasses import dataclass

import torch
from scipy.linalg import eigh
from torch import Tensor

from hespotex.common.numerics.correlation import TINY, pearson
from hespotex.nn.committee.members import Chosen, Ranks
from hespotex.nn.ridge import RidgeSums

Scores = dict[int | None, float]


@dataclass(frozen=True)
class Centred:
    """Centred sums of spots: products of inputs (d, d), and with genes (d, g); squares (g,)."""

    gram: Tensor
    cross: Tensor
    squares: Tensor

    @classmethod
    def of(cls, sums: RidgeSums, genes: Tensor | slice = slice(None)) -> "Centred":
        """Of these genes."""
        return cls(sums.gram(), sums.cross()[:, genes], sums.n * sums.variance()[genes])

    def of_columns(self, columns: Tensor) -> "Centred":
        """The same for some of the inputs."""
        return Centred(self.gram[columns][:, columns], self.cross[columns], self.squares)

    def pearson(self, weights: Tensor) -> Tensor:
        """Of X W with Y for each gene, (g,); NaN for a gene that is constant on either side."""
        spread = (weights * (self.gram @ weights)).sum(0)
        return pearson((weights * self.cross).sum(0), spread, self.squares)

    def along(self, axes: Tensor) -> "Centred":
        """The same with inputs times the axes (d, k) for inputs."""
        return Centred(axes.T @ self.gram @ axes, axes.T @ self.cross, self.squares)

    def first(self, k: int) -> "Centred":
        """The same for the first k inputs."""
        return Centred(self.gram[:k, :k], self.cross[:k], self.squares)


@dataclass(frozen=True)
class Principal:
    """Centred sums of spots that train, their inputs in principal axes, so that a regression with
    one more penalty costs next to nothing.

    Args:
        axes: (d, d), an axis a column.
        variation: sum of squares of the spots along each axis, (d,).
        cross: products of the spots along each axis with genes, (d, g).
    """

    axes: Tensor
    variation: Tensor
    cross: Tensor

    @classmethod
    def of(cls, spots: Centred) -> "Principal":
        """The same spots."""
        variation, axes = torch.linalg.eigh(spots.gram)
        return cls(axes, variation.clamp(min=0), axes.T @ spots.cross)

    def ridge(self, penalty: float) -> Tensor:
        """W minimising |X W - Y|^2 + penalty * d * |W|^2, for inputs along the axes, (d, g)."""
        return self.cross / (self.variation + penalty * len(self.variation))[:, None]

    def strongest(self, weights: Tensor, most: int) -> tuple[Tensor, Tensor]:
        """The `programmes` of what the weights (d, g) fit."""
        return programmes(self.variation.sqrt()[:, None] * weights, most)

    def weights(self, choice: Chosen) -> Tensor:
        """Of a regression with this penalty and rank, for the inputs themselves, (d, g)."""
        full = self.ridge(choice.penalty)
        if choice.rank is None:
            return self.axes @ full
        directions, strengths = self.strongest(full, choice.rank + 1)
        kept = kept_parts(strengths, choice.rank)
        return self.axes @ (full @ directions[: len(kept)].T * kept) @ directions[: len(kept)]

    def scores(self, penalty: float, ranks: Ranks, left_out: Centred) -> Scores:
        """Mean gene-wise Pearson on left-out spots, their inputs along the axes, for each rank."""
        full = self.ridge(penalty)
        found: Scores = {}
        if None in ranks:
            found[None] = float(left_out.pearson(full).nanmean())
        low = [rank for rank in ranks if rank is not None]
        if low:
            directions, strengths = self.strongest(full, max(low) + 1)
            left_out = left_out.along(full @ directions.T)
            for rank in low:
                weights = kept_parts(strengths, rank)[:, None] * directions[:rank]
                found[rank] = float(left_out.first(len(weights)).pearson(weights).nanmean())
        return found


def standardised(sums: RidgeSums, mean_x: Tensor, mean_y: Tensor, spread: Tensor) -> RidgeSums:
    """The same spots: inputs less `mean_x` (d,), targets less `mean_y`, over `spread` (g,)."""
    n = sums.n
    x = sums.x - n * mean_x
    y = sums.y - n * mean_y
    yy = sums.yy - mean_y * (2 * sums.y - n * mean_y)
    xx = sums.xx - torch.outer(mean_x, sums.x) - torch.outer(x, mean_x)
    xy = sums.xy - torch.outer(mean_x, sums.y) - torch.outer(x, mean_y)
    return RidgeSums(n, x, y / spread, yy / spread.square(), xx, xy / spread)


def programmes(fitted: Tensor, most: int) -> tuple[Tensor, Tensor]:
    """Strongest directions over genes of what a regression fits, (k, g), and their strengths, (k,).

    These are the first k <= most right singular vectors and the singular values of `fitted` (d, g),
    read off the smaller of its two products with itself.
    """
    if len(fitted) >= fitted.shape[1]:
        strengths, vectors = largest(fitted.T @ fitted, most)
        return vectors.T, strengths
    strengths, vectors = largest(fitted @ fitted.T, most)
    return vectors.T @ fitted / strengths.clamp(min=TINY)[:, None], strengths


def largest(symmetric: Tensor, most: int) -> tuple[Tensor, Tensor]:
    """Roots of the largest eigenvalues (k,), in falling order, and their vectors (n, k)."""
    n = len(symmetric)
    values, vectors = eigh(symmetric.numpy(), subset_by_index=(max(n - most, 0), n - 1))
    squares = torch.from_numpy(values[::-1].copy())
    return squares.clamp(min=0).sqrt(), torch.from_numpy(vectors[:, ::-1].copy())


def kept_parts(strengths: Tensor, rank: int) -> Tensor:
    """The part 1 - (s_{rank+1} / s_j)^2 of direction j that is kept, (k,) with k <= rank."""
    first = strengths[:rank]
    noise = strengths[rank] if len(strengths) > rank else strengths.new_zeros(())
    return torch.where(first > TINY, 1 - (noise / first.clamp(min=TINY)).square(), 0.0)
