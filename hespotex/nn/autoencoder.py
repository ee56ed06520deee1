"""Stage 1: the graph attention autoencoder whose latent teaches the image stream (GATE; STAGATE, Dong & Zhang 2022)."""

import torch
from torch import Tensor, nn

from hespotex.nn.aggregate import edge_softmax


class ExpressionAutoencoder(nn.Module):
    r"""Autoencoder of expression with one attention head and tied weights.

    .. math::
        h = x W_1, \quad
        \alpha_{ij} = \mathrm{softmax}_j\, \sigma(a_{src} \cdot h_j + a_{dst} \cdot h_i)

        z = \mathrm{elu}(\textstyle\sum_j \alpha_{ij} h_j) W_2, \quad
        \hat x = \mathrm{elu}(\textstyle\sum_j \alpha_{ij} z_j W_2^T) W_1^T

    with x the expression (n_spots, n_genes), z the spot latent (n_spots, d_latent), and j running over the
    spots with an edge into i, i itself among them.
    """

    def __init__(self, n_genes: int, d_hidden: int = 512, d_latent: int = 64) -> None:
        super().__init__()
        self.w1 = nn.Parameter(torch.empty(n_genes, d_hidden))
        self.w2 = nn.Parameter(torch.empty(d_hidden, d_latent))
        self.att_src = nn.Parameter(torch.empty(1, d_hidden))
        self.att_dst = nn.Parameter(torch.empty(1, d_hidden))
        for weight in self.parameters():
            nn.init.xavier_normal_(weight, gain=2**0.5)

    def forward(self, expression: Tensor, edge_index: Tensor) -> tuple[Tensor, Tensor]:
        """Expression (n, n_genes) and edges (2, n_edges) -> latent (n, d_latent), reconstruction (n, n_genes)."""
        hidden = expression @ self.w1
        attention = self._attention(hidden, edge_index)
        latent = _attend(hidden, edge_index, attention) @ self.w2
        return latent, _attend(latent @ self.w2.T, edge_index, attention) @ self.w1.T

    def _attention(self, hidden: Tensor, edge_index: Tensor) -> Tensor:
        source, target = edge_index
        logits = (hidden @ self.att_src.T)[source, 0] + (hidden @ self.att_dst.T)[target, 0]
        return edge_softmax(torch.sigmoid(logits), target, len(hidden))


def _attend(x: Tensor, edge_index: Tensor, attention: Tensor) -> Tensor:
    source, target = edge_index
    mixed = torch.zeros_like(x).index_add_(0, target, attention[:, None] * x[source])
    return nn.functional.elu(mixed)
