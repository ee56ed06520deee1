"""How much each member of a committee counts, and the spread of their mixture."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from scipy.optimize import nnls
from torch import Tensor

from hespotex.common.numerics.correlation import TINY, pearson
from hespotex.nn.committee.centred import Centred

SLOPES = (0.2, 2.0)  # of the calibration
STACKED = 0.5  # share of the stacked weights in the members' shares; the rest is equal


@dataclass(frozen=True)
class Forms:
    """Predictions of m members: products of two (m, m, g), and with genes (m, g); squares (g,)."""

    inner: Tensor
    cross: Tensor
    squares: Tensor

    @classmethod
    def of(cls, weights: Tensor, spots: Centred) -> "Forms":
        """Of the members' weights (m, d, g)."""
        rotated = [spots.gram @ own for own in weights]
        inner = torch.stack([(own * torch.stack(rotated)).sum(1) for own in weights])
        return cls(inner, (weights * spots.cross).sum(1), spots.squares)

    def mixed(self, shares: Tensor) -> tuple[Tensor, Tensor]:
        """Squares of the mixture, and its products with the genes, (g,) each."""
        return torch.einsum("i,j,ijg->g", shares, shares, self.inner), shares @ self.cross

    def pearson(self, shares: Tensor) -> Tensor:
        """Of the mixture with each gene, (g,)."""
        squares, cross = self.mixed(shares)
        return pearson(cross, squares, self.squares)

    def equations(self) -> tuple[Tensor, Tensor]:
        """Normal equations (m, m), (m,) of the shares, each gene in units of its spread here."""
        known = self.squares > TINY
        squares = self.squares[known]
        inner = (self.inner[..., known] / squares).mean(-1)
        return inner, (self.cross[:, known] / squares).mean(-1)


def shares_of(forms: Sequence[Forms], n_members: int) -> Tensor:
    """Share of each member, (n_members,): half of it equal.

    The other half goes by the non-negative weights of least squared error on the left-out parts.
    All is equal where there is nothing to weigh.
    """
    equal = torch.full((n_members,), 1 / n_members, dtype=torch.float64)
    usable = [form for form in forms if bool((form.squares > TINY).any())]
    if not usable:
        return equal
    equations = [form.equations() for form in usable]
    inner = torch.stack([inner for inner, _ in equations]).sum(0)
    stacked = non_negative(inner, torch.stack([cross for _, cross in equations]).sum(0))
    if not stacked.sum() > 0:
        return equal
    return STACKED * stacked / stacked.sum() + (1 - STACKED) * equal


def non_negative(a: Tensor, b: Tensor) -> Tensor:
    """w >= 0 minimising w^T A w - 2 b^T w, for A (m, m) and b (m,)."""
    little = 1e-6 * a.trace() / len(a) + TINY
    root = torch.linalg.cholesky(a + little * torch.eye(len(a), dtype=a.dtype))
    target = torch.linalg.solve_triangular(root, b[:, None], upper=False)[:, 0]
    return torch.from_numpy(nnls(root.T.numpy(), target.numpy())[0])


def slope_of(forms: Sequence[Forms], shares: Tensor) -> float:
    """Of the genes on left-out predictions of the whole, within `SLOPES`; 1 without any."""
    mixed = [form.mixed(shares) for form in forms]
    squares = sum(float(own.sum()) for own, _ in mixed)
    if squares < TINY:
        return 1.0
    slope = sum(float(cross.sum()) for _, cross in mixed) / squares
    return min(max(slope, SLOPES[0]), SLOPES[1])
