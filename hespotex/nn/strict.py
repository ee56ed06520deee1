"""Stage 2, strict: the same idea as released, with a stack of graph layers and a readout linear in n_genes."""

from torch import Tensor, nn

from hespotex.nn.aggregate import neighbour_mean
from hespotex.nn.published import DualStreamOutput


class NeighbourLayer(nn.Module):
    r"""Residual mean aggregation: :math:`h_i + \mathrm{gelu}(A u_i + B\, \mathrm{mean}_j u_j)`, u = LayerNorm(h).

    j runs over the neighbours of spot i, itself not among them.
    """

    def __init__(self, d: int, dropout: float) -> None:
        super().__init__()
        self.norm, self.own, self.neighbours = nn.LayerNorm(d), nn.Linear(d, d), nn.Linear(d, d)
        self.activation = nn.Sequential(nn.GELU(), nn.Dropout(dropout))

    def forward(self, h: Tensor, edge_index: Tensor) -> Tensor:
        u = self.norm(h)
        change: Tensor = self.activation(self.own(u) + self.neighbours(neighbour_mean(u, edge_index)))
        return h + change


class StrictDecoder(nn.Module):
    """Image embedding and spot graph to standardised expression.

    The patch latent is the bottleneck: what passes it is pulled towards the teacher's spot latent, and the
    readout (n_genes x d_latent weights) makes every gene a mixture of the same d_latent programmes.

    Args:
        d_image, n_genes: widths of input and output.
        d_hidden: width of the latent head; d_latent: width of the latent and of the graph layers.
        n_layers: graph layers, each one neighbourhood further; 0 leaves the graph out.
        dropout: between the layers; the input is dropped at half this rate.
    """

    def __init__(
        self, d_image: int, n_genes: int, d_hidden: int = 256, d_latent: int = 64, n_layers: int = 2, dropout: float = 0.4
    ) -> None:
        super().__init__()
        self.latent_head = nn.Sequential(
            nn.Dropout(dropout / 2),
            nn.Linear(d_image, d_hidden),
            nn.GELU(),
            nn.LayerNorm(d_hidden),
            nn.Dropout(dropout),
            nn.Linear(d_hidden, d_latent),
        )
        self.layers = nn.ModuleList(NeighbourLayer(d_latent, dropout) for _ in range(n_layers))
        self.readout = nn.Linear(d_latent, n_genes)
        self.gene_head = nn.Sequential(nn.LayerNorm(d_latent), nn.Linear(d_latent, n_genes))

    def forward(self, image_embedding: Tensor, edge_index: Tensor) -> DualStreamOutput:
        """(n, d_image), (2, n_edges) -> standardised expression (n, n_genes), patch latent (n, d_latent)."""
        latent = self.latent_head(image_embedding)
        h = latent
        for layer in self.layers:
            h = layer(h, edge_index)
        return DualStreamOutput(self.readout(h) + self.gene_head(latent), latent)
