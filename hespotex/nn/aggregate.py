"""Sums over a sparse spot graph, as released."""

import torch
from torch import Tensor


def neighbour_sum(x: Tensor, edge_index: Tensor) -> Tensor:
    """s_i = sum of x_j over edges j -> i.  (n, d), (2, n_edges) -> (n, d)"""
    return torch.zeros_like(x).index_add_(0, edge_index[1], x[edge_index[0]])


def in_degree(edge_index: Tensor, n: int) -> Tensor:
    """Number of edges into each spot, (n, 1) float."""
    ones = torch.ones(edge_index.shape[1], device=edge_index.device)
    return torch.zeros(n, device=edge_index.device).index_add_(0, edge_index[1], ones)[:, None]
