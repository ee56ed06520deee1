"""Stage 2 with its faults mended: the idea as released, with a stack of graph layers and a readout
linear in n_genes.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from hespotex.common.numerics.sparse import Edges
from hespotex.nn.dropout import Dropout
from hespotex.nn.inner import ALL, Inner


class ReadoutFeatures(NamedTuple):
    """`features` (n, 2 d_latent), which expression is linear in, and `latent` (n, d_latent), the
    patch latent.
    """

    features: Tensor
    latent: Tensor


class NeighbourLayer(nn.Module):
    r"""Residual mean aggregation: :math:`h_i + \mathrm{gelu}(A u_i + B\, \mathrm{mean}_j u_j)`, u =
    LayerNorm(h).

    j runs over the neighbours of spot i, itself not among them.
    """

    def __init__(self, d: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(d)
        self.own = nn.Linear(d, d)
        self.neighbours = nn.Linear(d, d)
        self.activation = nn.Sequential(nn.GELU(), Dropout(dropout))

    def forward(self, h: Tensor, edges: Edges) -> Tensor:
        """(n, d) and the edges of these n spots -> (n, d)."""
        u = self.norm(h)
        change: Tensor = self.activation(self.own(u) + self.neighbours(edges.mean(u)))
        return h + change


class DualStreamDecoder(nn.Module):
    """Image embedding and spot graph to features that standardised expression is linear in.

    The patch latent is the bottleneck: what passes it is pulled towards the teacher's spot latent,
    and the readout (n_genes x d_latent weights) makes every gene a mixture of the same d_latent
    programmes.

    Args:
        d_image, n_genes: widths of input and output.
        d_hidden: width of the latent head; d_latent: width of the latent and of the graph layers.
        n_layers: graph layers, each one neighbourhood further; 0 leaves the graph out.
        dropout: between the layers; the input is dropped at half this rate.
    """

    def __init__(
        self,
        d_image: int,
        n_genes: int,
        d_hidden: int = 256,
        d_latent: int = 64,
        n_layers: int = 2,
        dropout: float = 0.4,
    ) -> None:
        super().__init__()
        self.latent_head = nn.Sequential(
            Dropout(dropout / 2),
            nn.Linear(d_image, d_hidden),
            nn.GELU(),
            nn.LayerNorm(d_hidden),
            Dropout(dropout),
            nn.Linear(d_hidden, d_latent),
        )
        self.layers = nn.ModuleList(NeighbourLayer(d_latent, dropout) for _ in range(n_layers))
        self.readout = nn.Linear(d_latent, n_genes)
        self.gene_norm = nn.LayerNorm(d_latent)
        self.gene_head = nn.Linear(d_latent, n_genes)

    def forward(
        self, image_embedding: Tensor, edge_index: Tensor, inner: Inner = ALL
    ) -> ReadoutFeatures:
        """(n, d_image), (2, n_edges) -> features and patch latent of the `inner` spots, all by
        default.
        """
        latent = self.latent_head(image_embedding)
        h = latent
        edges = Edges(edge_index, len(latent))
        for layer in self.layers:
            h = layer(h, edges)
        latent = latent[inner]
        return ReadoutFeatures(torch.cat([h[inner], self.gene_norm(latent)], dim=1), latent)

    def gene_weights(self) -> tuple[Tensor, Tensor]:
        """W (n_genes, d) and b (n_genes,): standardised expression is f W^T + b, with f the
        features.
        """
        weight = torch.cat([self.readout.weight, self.gene_head.weight], dim=1)
        return weight, self.readout.bias + self.gene_head.bias
