"""Stage 2 as released, bug for bug; what is wrong with each part stands at the part."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from hespotex.nn.aggregate import in_degree, neighbour_sum
from hespotex.nn.inner import ALL, Inner

N_LAYERS = 4


class DualStreamOutput(NamedTuple):
    """`expression` (n_spots, n_genes) and `latent` (n_spots, d_latent), the patch latent."""

    expression: Tensor
    latent: Tensor


def projection_head(d_in: int, d_out: int, d_hidden: int = 1024) -> nn.Sequential:
    """Linear, ReLU, LayerNorm, Linear."""
    return nn.Sequential(
        nn.Linear(d_in, d_hidden), nn.ReLU(), nn.LayerNorm(d_hidden), nn.Linear(d_hidden, d_out)
    )


class PublishedGraphLayer(nn.Module):
    r"""GraphSAGE-mean without bias: :math:`\mathrm{normalize}(\mathrm{relu}(W [x; m]))`.

    The mean is meant over the neighbours without self, but the graph holds no self: the identity is
    subtracted all the same, so :math:`m_i = (\sum_j x_j - x_i) / (\deg_i - 1)`.
    """

    def __init__(self, d: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(d, 2 * d))
        nn.init.xavier_uniform_(self.weight)

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        """(n, d), (2, n_edges) -> (n, d), each row of length 1."""
        degree = (in_degree(edge_index, len(x)) - 1).clamp(min=1)
        mean = (neighbour_sum(x, edge_index) - x) / degree
        return nn.functional.normalize(
            torch.relu(torch.cat([x, mean], dim=1) @ self.weight.T), dim=1
        )


class JumpingKnowledge(nn.Module):
    """Two-layer LSTM over the layer outputs, hidden size n_genes, mean over steps: about 12
    n_genes^2 weights.
    """

    def __init__(self, d: int, n_genes: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(d, n_genes, num_layers=2, batch_first=True)

    def forward(self, layers: Tensor) -> Tensor:
        """(n_spots, n_layers, d) -> (n_spots, n_genes)"""
        out: Tensor = self.lstm(layers)[0]
        return out.mean(dim=1)


class PublishedDecoder(nn.Module):
    """Image embedding and spot graph to expression. The four graph layers stand in parallel on one
    input, while the paper's figure shows them stacked."""

    def __init__(self, d_image: int, n_genes: int, d_latent: int = 64) -> None:
        super().__init__()
        self.latent_head = projection_head(d_image, d_latent)
        self.gene_head = projection_head(d_latent, n_genes)
        self.image_decoder = nn.ModuleList(PublishedGraphLayer(d_latent) for _ in range(N_LAYERS))
        self.jknet = JumpingKnowledge(d_latent, n_genes)

    def forward(
        self, image_embedding: Tensor, edge_index: Tensor, nuclei_factor: Tensor, inner: Inner = ALL
    ) -> DualStreamOutput:
        """`nuclei_factor` (n_spots, 1); the output is of the `inner` spots, of all by default."""
        latent = self.latent_head(image_embedding)
        layers = torch.stack(
            [layer(latent, edge_index)[inner] for layer in self.image_decoder], dim=1
        )
        expression = (self.jknet(layers) + self.gene_head(latent[inner])) * nuclei_factor[inner]
        return DualStreamOutput(expression, latent[inner])


def published_nuclei_factor(n_labels: Tensor, most: Tensor) -> Tensor:
    """1 + f / max f over the section, f = clip(n, 1, 20); n counts the labels in a patch,
    background as one.

    Args:
        n_labels: (n_spots, 1).
        most: the section's largest number, once or for each spot.
    """
    return 1 + n_labels.float().clamp(1, 20) / most.float().clamp(1, 20)
