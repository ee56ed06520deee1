"""Ridge regression that lets all genes share a few programmes: reduced rank, in closed form."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn

from hespotex.nn.inner import ALL, Inner
from hespotex.nn.ridge import RidgeSums
from hespotex.sparse import Edges

LEAST_SPREAD = 0.2  # of a gene within a section, in units of its spread over all: what hardly varies is not blown up


class Scale(NamedTuple):
    """Of each gene within a section, (n_genes,) each, in the unit of the target."""

    mean: Tensor
    spread: Tensor


def scale_of(section: RidgeSums, least: Tensor) -> Scale:
    """Mean and standard deviation of each gene within a section, at the `least` (n_genes,)."""
    return Scale(section.y / section.n, torch.maximum(section.variance().sqrt(), least.double()))


class ProgrammeRidge(nn.Module):
    r"""Ridge regression of every gene on the spot and the region around it, kept to the programmes that genes share.

    Single genes of ST are mostly noise, and what an image tells of them is common to many. So the fitted values of a ridge
    regression are split into principal directions over the genes (reduced-rank regression, Izenman 1975), and direction j
    keeps the part :math:`1 - (s_{r+1} / s_j)^2` of it that stands above direction r + 1, which is taken for noise.

    Within each section every gene is first centred and put in units of its own spread there: differences between sections
    are mostly batch, and would otherwise take up programmes.

    Args:
        d_image, n_genes: widths.
        alpha: penalty for each input, for embeddings of unit variance; times their number, so that a wide embedding is not
            believed more than a narrow one.
        rank: r, programmes that are kept at most.
        hops: the region is the mean over the neighbours, taken this many times; 0 for the spot alone.
    """

    coefficients: Tensor
    mean: Tensor
    directions: Tensor
    kept: Tensor
    spread: Tensor
    unit: Tensor

    def __init__(self, d_image: int, n_genes: int, alpha: float, rank: int, hops: int) -> None:
        super().__init__()
        self.alpha, self.rank, self.hops = alpha, min(rank, n_genes), hops
        self.n_inputs = d_image * (1 + (hops > 0))
        self.register_buffer("coefficients", torch.zeros(self.n_inputs, self.rank))
        self.register_buffer("mean", torch.zeros(self.n_inputs))
        self.register_buffer("directions", torch.zeros(self.rank, n_genes))
        self.register_buffer("kept", torch.zeros(self.rank))
        self.register_buffer("spread", torch.ones(n_genes))
        self.register_buffer("unit", torch.ones(self.rank))

    def fit(self, sections: Mapping[str, RidgeSums], gene_std: Tensor) -> dict[str, Scale]:
        """Fit on these sections; `gene_std` (n_genes,) is the spread over all. Returns the scale of each section."""
        scales = {name: scale_of(section, LEAST_SPREAD * gene_std) for name, section in sections.items()}
        gram = torch.stack([section.gram() for section in sections.values()]).sum(0)
        cross = torch.stack([section.cross() / scales[name].spread for name, section in sections.items()]).sum(0)
        penalty = self.alpha * len(gram) * torch.eye(len(gram), dtype=torch.float64)
        weights = torch.linalg.solve(gram + penalty, cross)
        directions, kept = shared_programmes(weights, gram, self.rank)
        self.directions.copy_(directions)
        self.kept.copy_(kept)
        self.spread.copy_(torch.stack([scale.spread for scale in scales.values()]).mean(0))
        total = torch.stack([section.x for section in sections.values()]).sum(0)
        self.mean.copy_(total / sum(section.n for section in sections.values()))
        self.coefficients.copy_(weights @ directions.T * kept)
        return scales

    def fit_unit(self, scores: Iterable[Tensor]) -> None:
        """Take the mean spread of the programmes over the measured `scores` (n, rank) of all training spots for their unit."""
        n, total, squares = 0, torch.zeros(self.rank).double(), torch.zeros(self.rank).double()
        for part in scores:
            n, total, squares = n + len(part), total + part.double().sum(0), squares + part.double().square().sum(0)
        spread = (squares / n - (total / n).square()).clamp(min=0).sqrt().mean()
        self.unit.mul_(spread.clamp(min=1e-6).to(self.unit))

    def forward(self, image_embedding: Tensor, edge_index: Tensor, inner: Inner = ALL) -> Tensor:
        """(n, d_image), (2, n_edges) -> how strong each programme is, (n_inner, rank)"""
        return (self.inputs(image_embedding, edge_index)[inner] - self.mean) @ self.coefficients

    def gene_weights(self) -> Tensor:
        """(n_genes, rank): what the programmes stand for, in the unit of the target."""
        return (self.directions * self.spread).T

    def measured(self, scale: Scale) -> tuple[Tensor, Tensor]:
        """W (n_genes, rank) and b (rank,): y W - b is how strong each programme is in measured expression y of a section."""
        weight = (self.directions * self.kept[:, None] / scale.spread.to(self.kept)).T / self.unit
        return weight, scale.mean.to(weight) @ weight

    def inputs(self, x: Tensor, edge_index: Tensor) -> Tensor:
        """(n, d_image) -> (n, d), with the region."""
        if not self.hops:
            return x
        region, edges = x, Edges(edge_index, len(x))
        for _ in range(self.hops):
            region = edges.mean(region)
        return torch.cat([x, region], dim=1)


def shared_programmes(weights: Tensor, gram: Tensor, rank: int) -> tuple[Tensor, Tensor]:
    """Strongest directions over genes of what the weights fit, (rank, n_genes), and the part of each that is kept, (rank,).

    With X the inputs, gram = X^T X (d, d), weights W (d, n_genes). The fitted values X W have the same singular values s and
    directions as R W, where gram = R^T R, so that the spots themselves are not needed. Without a direction beyond `rank`
    nothing is taken for noise.
    """
    values, vectors = torch.linalg.eigh(gram)
    root = values.clamp(min=0).sqrt()[:, None] * vectors.T
    _, s, v = torch.linalg.svd(root @ weights, full_matrices=False)
    v = v * torch.where(v.gather(1, v.abs().argmax(1, keepdim=True)) < 0, -1.0, 1.0)  # signs are free: fix them
    directions, strength = weights.new_zeros(rank, weights.shape[1]), weights.new_zeros(rank + 1)
    directions[: len(v)] = v[:rank]
    strength[: len(s)] = s[: rank + 1]
    return directions, 1 - (strength[rank] / strength[:rank].clamp(min=1e-12)).square().clamp(max=1)
