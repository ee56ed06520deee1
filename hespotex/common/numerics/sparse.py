"""Products with sparse matrices that gradients pass through on either side."""

import warnings
from typing import Any

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

# torch's word, once a process
warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta")
Gradients = tuple[Tensor | None, Tensor | None, None]
STRIP = 32  # columns: those of 5,000 spots are two thirds of a megabyte


def from_scipy(matrix: sparse.csr_matrix) -> Tensor:
    """The same as a torch tensor, with 32-bit numbers of columns, as CPU and GPU libraries want
    them.
    """
    starts = torch.from_numpy(matrix.indptr.astype(np.int32))
    columns = torch.from_numpy(matrix.indices.astype(np.int32))
    values = torch.from_numpy(matrix.data.astype(np.float32))
    return torch.sparse_csr_tensor(starts, columns, values, matrix.shape, check_invariants=False)


def to_scipy(matrix: Tensor) -> sparse.csr_matrix:
    """The way back; both share their memory."""
    parts = matrix.values(), matrix.col_indices(), matrix.crow_indices()
    return sparse.csr_matrix(tuple(part.numpy() for part in parts), shape=tuple(matrix.shape))


def row_starts(rows: Tensor, n: int) -> Tensor:
    """Where each of n rows begins among entries that are sorted by row, (n + 1,) int32."""
    starts = torch.zeros(n + 1, dtype=torch.int32, device=rows.device)
    starts[1:] = torch.bincount(rows, minlength=n).cumsum(0)
    return starts


class Edges:
    """Edges of a spot graph, sorted by the spot they enter, and once more by the spot they leave.

    Args:
        edge_index: (2, n_edges), row 0 the neighbour j, row 1 the spot i.
        n: spots.
    """

    def __init__(self, edge_index: Tensor, n: int) -> None:
        source, target = edge_index
        order = torch.argsort(target, stable=True)
        self.n = n
        self.source = source[order]
        self.target = target[order]
        # of the sorted edges, by the spot they leave
        self.back = torch.argsort(self.source, stable=True)
        self.into = row_starts(self.target, n), self.source.int()
        self.out_of = row_starts(self.source, n), self.target[self.back].int()

    def matrix(self, values: Tensor) -> Tensor:
        """A (n, n) with A_ij the value of edge j -> i; one value an edge, in sorted order."""
        return torch.sparse_csr_tensor(*self.into, values, (self.n, self.n), check_invariants=False)

    def transposed(self, values: Tensor) -> Tensor:
        """A^T"""
        return torch.sparse_csr_tensor(
            *self.out_of, values[self.back], (self.n, self.n), check_invariants=False
        )

    def mean(self, x: Tensor) -> Tensor:
        """m_i = mean of x_j over edges j -> i; 0 for a spot without neighbours.  (n, d) -> (n,
        d)
        """
        degree = self.into[0].diff()
        return self.weighted_sum(x, (1.0 / degree.clamp(min=1)).index_select(0, self.target))

    def weighted_sum(self, x: Tensor, values: Tensor) -> Tensor:
        """s_i = sum of value_ij x_j over edges j -> i.  (n, d), (n_edges,) in sorted order -> (n,
        d)
        """
        wide = torch.promote_types(x.dtype, torch.float32)
        out: Tensor = WeightedSum.apply(x.to(wide), values.to(wide), self)
        return out.to(x.dtype)

    def softmax(self, logits: Tensor) -> Tensor:
        """Over the edges that enter the same spot, of logits that are small.  (n_edges,) in sorted
        order
        """
        weight = logits.exp()
        total = torch.zeros(self.n, dtype=weight.dtype, device=weight.device).index_add(
            0, self.target, weight
        )
        return weight / total.index_select(0, self.target)


class WeightedSum(torch.autograd.Function):
    """A x for a sparse A: products with A and A^T only, and of the gradient of A its own entries
    only.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, values: Tensor, edges: Edges) -> Tensor:
        """(n, d), (n_edges,) in sorted order -> (n, d)."""
        ctx.save_for_backward(x, values)
        ctx.edges = edges
        return _product(edges.matrix(values), x)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Gradients:  # type: ignore[override]
        """Gradients of `x` (n, d) and of `values` (n_edges,), where they are asked for."""
        x, values = ctx.saved_tensors
        edges = ctx.edges
        to_x = _product(edges.transposed(values), grad) if ctx.needs_input_grad[0] else None
        to_values = None
        if ctx.needs_input_grad[1]:
            pattern = edges.matrix(torch.zeros_like(values))
            to_values = torch.sparse.sampled_addmm(pattern, grad.contiguous(), x.T).values()
        return to_x, to_values, None


class FixedProduct(torch.autograd.Function):
    """A x for a sparse A that is no parameter, with A^T at hand."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, matrix: Tensor, transposed: Tensor) -> Tensor:
        """x (n, d), A (m, n), A^T (n, m) -> (m, d)."""
        ctx.transposed = transposed
        return _by_strips(matrix, x)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:  # type: ignore[override]
        """Gradient of `x` alone: (m, d) -> (n, d)."""
        return _by_strips(ctx.transposed, grad), None, None


def _product(matrix: Tensor, x: Tensor) -> Tensor:
    """In single precision under autocast too: sparse products are not there in 16 bits."""
    with torch.autocast(x.device.type, enabled=False):
        return matrix @ x


def _by_strips(matrix: Tensor, x: Tensor) -> Tensor:
    """The same for a matrix whose rows have entries all over: on a processor, strips of `x` that
    stay in its cache are read again and again from there.
    """
    if x.device.type != "cpu" or matrix.layout != torch.sparse_csr or x.shape[1] <= STRIP:
        return _product(matrix, x)
    product = x.new_empty(matrix.shape[0], x.shape[1])
    for start in range(0, x.shape[1], STRIP):
        strip = slice(start, start + STRIP)
        product[:, strip] = _product(matrix, x[:, strip].contiguous())
    return product
