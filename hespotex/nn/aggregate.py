"""Sums over a sparse spot graph."""

import torch
from torch import Tensor


def neighbour_sum(x: Tensor, edge_index: Tensor) -> Tensor:
    """s_i = sum of x_j over edges j -> i.  (n, d), (2, n_edges) -> (n, d)"""
    return torch.zeros_like(x).index_add_(0, edge_index[1], x[edge_index[0]])


def in_degree(edge_index: Tensor, n: int) -> Tensor:
    """Number of edges into each spot, (n, 1) float."""
    ones = torch.ones(edge_index.shape[1], device=edge_index.device)
    return torch.zeros(n, device=edge_index.device).index_add_(0, edge_index[1], ones)[:, None]


def neighbour_mean(x: Tensor, edge_index: Tensor) -> Tensor:
    """m_i = mean of x_j over edges j -> i; 0 for a spot without neighbours."""
    return neighbour_sum(x, edge_index) / in_degree(edge_index, len(x)).clamp(min=1).to(x.dtype)


def edge_softmax(logits: Tensor, targets: Tensor, n: int) -> Tensor:
    """Softmax of one logit per edge over the edges that enter the same spot.  (n_edges,) -> (n_edges,)"""
    highest = torch.full((n,), -torch.inf, dtype=logits.dtype, device=logits.device)
    highest = highest.scatter_reduce(0, targets, logits.detach(), reduce="amax")
    weight = (logits - highest[targets]).exp()
    total = torch.zeros(n, dtype=weight.dtype, device=weight.device).index_add_(0, targets, weight)
    return weight / total[targets]
