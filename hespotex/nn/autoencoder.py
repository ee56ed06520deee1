"""Stage 1: the graph attention autoencoder whose latent teaches the image stream (GATE; STAGATE,
Dong & Zhang 2022).
"""

import torch
from torch import Tensor, nn

from hespotex.common.numerics.sparse import Edges


class ExpressionAutoencoder(nn.Module):
    r"""Autoencoder of expression with one attention head and tied weights.

    .. math::
        h = x W_1, \quad
        \alpha_{ij} = \mathrm{softmax}_j\, \sigma(a_{src} \cdot h_j + a_{dst} \cdot h_i)

        z = \mathrm{elu}(\textstyle\sum_j \alpha_{ij} h_j) W_2, \quad
        \hat x = \mathrm{elu}(\textstyle\sum_j \alpha_{ij} z_j W_2^T) W_1^T

    with x the expression (n_spots, n_genes), z the spot latent (n_spots, d_latent), and j running
    over the spots with an edge into i, i itself among them.
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
        """Expression (n, n_genes) and edges (2, n_edges) -> latent (n, d_latent), reconstruction
        (n, n_genes).

        Attention mixes spots and W mixes columns, so their order is free: mixing is done where
        there are fewest columns.
        """
        edges = Edges(edge_index, len(expression))
        narrow = self.w1.shape[0] < self.w1.shape[1]
        hidden = expression if narrow else expression @ self.w1
        attention = self._attention(hidden, edges, self.w1 if narrow else None)
        mixed = edges.weighted_sum(hidden, attention)
        latent = nn.functional.elu(mixed @ self.w1 if narrow else mixed) @ self.w2
        back = nn.functional.elu(edges.weighted_sum(latent, attention) @ self.w2.T)
        return latent, back @ self.w1.T

    def _attention(self, hidden: Tensor, edges: Edges, weight: Tensor | None) -> Tensor:
        src, dst = (
            att.T if weight is None else weight @ att.T for att in (self.att_src, self.att_dst)
        )
        logits = (hidden @ src)[:, 0].index_select(0, edges.source) + (hidden @ dst)[
            :, 0
        ].index_select(0, edges.target)
        return edges.softmax(torch.sigmoid(logits.float()))
