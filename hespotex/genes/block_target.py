"""Measured expression of the spots of one block, ready for products with what the model makes of
their images.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse
from torch import Tensor

from hespotex.common.numerics.sparse import FixedProduct, from_scipy, to_scipy


class BlockTarget:
    """Expression y (n, n_genes); sparse where the target's zeros are zeros, and both ways round,
    for y^T x and its gradient.

    Args:
        by_spot: y, NaN as 0; by_gene: y^T. Both sparse or both dense.
        known: (n_genes,) bool, genes that the section measured.
        mean, variance: of each gene over these spots, (n_genes,) float32; NaN for a gene that is
        not known.
    """

    def __init__(
        self, by_spot: Tensor, by_gene: Tensor, known: Tensor, mean: Tensor, variance: Tensor
    ) -> None:
        self.by_spot = by_spot
        self.by_gene = by_gene
        self.known = known
        self.mean = mean
        self.variance = variance

    @classmethod
    def of_counts(cls, values: sparse.csr_matrix, measured: NDArray[np.bool_]) -> "BlockTarget":
        """Of a sparse table (n, n_genes)."""
        n = values.shape[0]
        total = _sums(values)
        squares = _sums(values.multiply(values))
        return cls(
            from_scipy(values),
            from_scipy(values.T.tocsr()),
            torch.from_numpy(measured),
            *_spread(n, total, squares, measured),
        )

    @classmethod
    def of_table(cls, values: Tensor) -> "BlockTarget":
        """Of a dense one; a gene with a NaN is not known."""
        measured = ~values.isnan().any(0)
        y = torch.nan_to_num(values)
        total = y.sum(0, dtype=torch.float64)
        squares = y.double().square().sum(0)
        spread = _spread(len(y), total.numpy(), squares.numpy(), measured.numpy())
        return cls(y, y.T, measured, *spread)

    def __len__(self) -> int:
        return int(self.by_spot.shape[0])

    @property
    def nbytes(self) -> int:
        """Memory, in bytes."""
        if self.by_spot.layout != torch.sparse_csr:
            return self.by_spot.nbytes
        return sum(
            tensor.nbytes
            for y in (self.by_spot, self.by_gene)
            for tensor in (y.values(), y.col_indices())
        )

    def times(self, x: Tensor) -> Tensor:
        """(n, d) -> y^T x, (n_genes, d) float32, differentiable in x; 0 for a gene that is not
        known.
        """
        product: Tensor = FixedProduct.apply(x.float(), self.by_gene, self.by_spot)
        return product

    def dense(self) -> Tensor:
        """(n, n_genes), NaN for a gene that is not known."""
        y = self.by_spot.to_dense() if self.by_spot.layout == torch.sparse_csr else self.by_spot
        return y if self.known.all() else torch.where(self.known, y, torch.nan)

    def rows(self, spots: Tensor) -> "BlockTarget":
        """Of some of the spots, given by their numbers."""
        if self.by_spot.layout != torch.sparse_csr:
            return BlockTarget.of_table(self.dense()[spots])
        return BlockTarget.of_counts(to_scipy(self.by_spot)[spots.numpy()], self.known.numpy())

    def to(self, device: torch.device | str, non_blocking: bool = False) -> "BlockTarget":
        """The same on another device."""
        tensors = (self.by_spot, self.by_gene, self.known, self.mean, self.variance)
        return BlockTarget(*(tensor.to(device, non_blocking=non_blocking) for tensor in tensors))


def _sums(values: sparse.csr_matrix) -> NDArray[np.float64]:
    return np.asarray(values.sum(axis=0, dtype=np.float64)).ravel()


def _spread(
    n: int, total: NDArray[np.float64], squares: NDArray[np.float64], measured: NDArray[np.bool_]
) -> tuple[Tensor, Tensor]:
    mean = total / n
    variance = np.maximum(squares / n - mean**2, 0)
    first, second = (
        torch.from_numpy(np.where(measured, values, np.nan).astype(np.float32))
        for values in (mean, variance)
    )
    return first, second
