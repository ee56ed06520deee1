"""The released training loop, written afresh from its description, to be timed: nothing of it is
part of the project.

What it does as released: the image encoder (ViT-B/32) runs again on the raw patches in every epoch,
the graph is a dense matrix (n, n), stage 1 is the graph attention autoencoder on dense expression
section after section, the readout of stage 2 is an LSTM of about 12 n_genes^2 weights, and the
epoch is chosen by a correlation that goes through the genes one by one. Weights and stage 2 are the
project's bug-for-bug modules, which give the released numbers. In its favour: patches are in memory
already, and the teacher is counted once instead of once a fold.
"""

import argparse
import logging
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import open_clip
import torch
from measuring import Row, Stages, hand_over
from scipy.stats import pearsonr
from synthetic import VISIUM, assay_of, draw_counts, gene_rates, positions
from torch import Tensor, nn

from hespotex.nn.autoencoder import ExpressionAutoencoder
from hespotex.nn.losses import latent_alignment
from hespotex.nn.published import PublishedDecoder, PublishedGraphLayer, published_nuclei_factor
from hespotex.sections.graph import knn_edges, undirected_with_loops

D_IMAGE = 512
K_TEACHER = 8
K = 4
MEMORY_LIMIT_GIB = 16.0
SECONDS_LIMIT = 900.0
ASSUMED_FLOPS = 60e9  # only to leave out what would take too long


class ReleasedAutoencoder(ExpressionAutoencoder):
    """Stage 1 in the released order: both attentions through arrays of n_edges x 512 numbers."""

    def forward(self, expression: Tensor, edges: Tensor) -> tuple[Tensor, Tensor]:
        source, target = edges
        hidden = expression @ self.w1
        logits = torch.sigmoid(
            (hidden @ self.att_src.T)[source, 0] + (hidden @ self.att_dst.T)[target, 0]
        )
        highest = torch.full((len(hidden),), -torch.inf).scatter_reduce(
            0, target, logits.detach(), reduce="amax"
        )
        weight = (logits - highest[target]).exp()
        attention = weight / torch.zeros(len(hidden)).index_add_(0, target, weight)[target]

        def attend(x: Tensor) -> Tensor:
            return nn.functional.elu(
                torch.zeros_like(x).index_add_(0, target, attention[:, None] * x[source])
            )

        latent = attend(hidden) @ self.w2
        return latent, attend(latent @ self.w2.T) @ self.w1.T


class DenseGraphLayer(PublishedGraphLayer):
    """The same layer on a dense adjacency (n, n)."""

    def forward(self, x: Tensor, adjacency: Tensor) -> Tensor:
        degree = (adjacency.sum(1, keepdim=True) - 1).clamp(min=1)
        mean = (adjacency @ x - x) / degree
        return nn.functional.normalize(
            torch.relu(torch.cat([x, mean], dim=1) @ self.weight.T), dim=1
        )


def dense_decoder(n_genes: int) -> PublishedDecoder:
    """Stage 2 as released, dense graph and all."""
    decoder = PublishedDecoder(D_IMAGE, n_genes)
    decoder.image_decoder = nn.ModuleList(DenseGraphLayer(64) for _ in decoder.image_decoder)
    return decoder


def dense_graph(pos: Tensor, k: int) -> Tensor:
    """Directed edges from the k nearest other spots as a matrix (n, n), by all distances."""
    distance = torch.cdist(pos, pos).fill_diagonal_(torch.inf)
    nearest = distance.topk(k, largest=False).indices
    return torch.zeros(len(pos), len(pos)).scatter_(1, nearest, 1.0)


def encode(encoder: nn.Module, patches: Tensor) -> Tensor:
    """Raw pixels (n, 224, 224, 3) uint8, unscaled, to embeddings of unit length."""
    with torch.no_grad():
        parts = [encoder(part.permute(0, 3, 1, 2).float()) for part in patches.split(64)]
    return nn.functional.normalize(torch.cat(parts), dim=1)


def genewise_pearson(predicted: np.ndarray, measured: np.ndarray) -> float:
    """Mean correlation, one gene at a time."""
    return float(
        np.nanmean(
            [
                pearsonr(predicted[:, gene], measured[:, gene])[0]
                for gene in range(measured.shape[1])
            ]
        )
    )


def bytes_needed(n: int, n_genes: int) -> float:
    """Distances and adjacency; weights, gradients and two moments of AdamW; what the LSTM keeps for
    its gradient.
    """
    return 4 * (3 * n**2 + 4 * 12 * n_genes**2 + 2 * 4 * 8 * n * n_genes)


def seconds_needed(n: int, n_genes: int) -> float:
    """Of one step: 4 steps in time through all weights, forward and twice backward."""
    return 3 * 2 * 4 * 12 * n_genes**2 * n / ASSUMED_FLOPS


def too_large(n: int, n_genes: int) -> str:
    """Why a section of this size is not tried; empty if it is."""
    if (gib := bytes_needed(n, n_genes) / 2**30) > MEMORY_LIMIT_GIB:
        return f"needs about {gib:.0f} GiB"
    if (seconds := seconds_needed(n, n_genes)) > SECONDS_LIMIT:
        return f"a step takes about {seconds:.0f} s"
    return ""


class NaiveSection:
    """One section of the released loop, in memory."""

    def __init__(self, n: int, n_genes: int, n_patches: int) -> None:
        generator = torch.Generator().manual_seed(0)
        self.pos = positions(n, assay_of(n))
        counts = draw_counts(n, gene_rates(n_genes, VISIUM.density, 0), 0)
        self.expression = torch.from_numpy(np.log1p(counts.toarray()))
        self.patches = torch.randint(
            256, (n_patches, 224, 224, 3), dtype=torch.uint8, generator=generator
        )
        self.embedding = nn.functional.normalize(
            torch.randn(n, D_IMAGE, generator=generator), dim=1
        )
        self.latent = torch.randn(n, 64, generator=generator)
        self.factor = published_nuclei_factor(
            torch.randint(1, 20, (n, 1), generator=generator), torch.tensor(19)
        )
        self.encoder = open_clip.create_model(
            "ViT-B-32", pretrained=None, force_quick_gelu=True
        ).visual.eval()
        self.autoencoder = ReleasedAutoencoder(n_genes)
        self.decoder = dense_decoder(n_genes)
        self.adjacency = torch.empty(0)

    def graph(self) -> None:
        self.adjacency = dense_graph(torch.from_numpy(self.pos).float(), K)

    def encode(self) -> None:
        encode(self.encoder, self.patches)

    def teacher(self) -> Callable[[], None]:
        """Returns what one epoch of stage 1 does."""
        edges = torch.from_numpy(
            undirected_with_loops(knn_edges(self.pos, K_TEACHER), len(self.pos))
        )
        optimizer = torch.optim.Adam(self.autoencoder.parameters(), lr=1e-3, weight_decay=1e-4)

        def epoch() -> None:
            optimizer.zero_grad()
            nn.functional.mse_loss(
                self.autoencoder(self.expression, edges)[1], self.expression
            ).backward()
            nn.utils.clip_grad_norm_(self.autoencoder.parameters(), 5.0)
            optimizer.step()

        return epoch

    def step(self) -> Callable[[], None]:
        """Returns what stage 2 does with one section in one epoch, the encoder left out."""
        optimizer = torch.optim.AdamW(self.decoder.parameters(), lr=1e-3, weight_decay=1e-3)

        def step() -> None:
            optimizer.zero_grad()
            out = self.decoder(self.embedding, self.adjacency, self.factor)
            mse = nn.functional.mse_loss(out.expression, self.expression)
            (latent_alignment(out.latent, self.latent) + mse).backward()
            optimizer.step()

        return step

    def forward(self) -> np.ndarray:
        with torch.no_grad():
            predicted: np.ndarray = self.decoder(
                self.embedding, self.adjacency, self.factor
            ).expression.numpy()
        return predicted


def measure(stages: Stages, n_patches: int) -> None:
    """One section of `stages.spots`; the second round of each piece is the one that counts."""
    n = stages.spots
    section = NaiveSection(stages.spots, stages.genes, n_patches)
    with stages.stage("naive: dense graph", n):
        section.graph()
    encode(section.encoder, section.patches[:8])
    with stages.stage("naive: encoder, an epoch", n_patches, note=f"{n_patches:,} patches"):
        section.encode()
    for name, work in (("stage 1", section.teacher()), ("stage 2", section.step())):
        work()
        with stages.stage(f"naive: {name}, an epoch", n):
            work()
    with stages.stage("naive: forward", n):
        predicted = section.forward()
    with stages.stage("naive: metrics, gene by gene", n):
        genewise_pearson(predicted, section.expression.numpy())


@dataclass(frozen=True)
class LeaveOneOut:
    """The whole cross-validation of the released loop: each of `sections` is the test section once.

    teacher: T * S * t1 (one model, section after section, 500 epochs)
    a fold:  S * graph + E * (S * encoder + (S - 1) * t2 + forward + metrics)
    whole:   teacher + S * fold
    """

    sections: int = 5
    epochs: int = 30
    teacher_epochs: int = 500

    def seconds(self, rows: list[Row]) -> float | None:
        """Projected from the measured pieces of one section; None where one of them was not run."""
        found = {row.stage.removeprefix("naive: "): row for row in rows}
        pieces = (
            "dense graph",
            "encoder, an epoch",
            "stage 1, an epoch",
            "stage 2, an epoch",
            "forward",
        )
        wanted = [found.get(name) for name in (*pieces, "metrics, gene by gene")]
        if any(row is None or row.seconds is None for row in wanted):
            return None
        graph, encoder, first, second, forward, metrics = (row.seconds for row in wanted)
        encoder *= found["forward"].unit_spots / found["encoder, an epoch"].unit_spots
        epoch = self.sections * encoder + (self.sections - 1) * second + forward + metrics
        fold = self.sections * graph + self.epochs * epoch
        return self.teacher_epochs * self.sections * first + self.sections * fold


def main() -> None:
    """Pieces of one section."""
    parser = argparse.ArgumentParser(
        description="The released loop on one section; rows go to standard output as JSON."
    )
    parser.add_argument("--spots", type=int, required=True)
    parser.add_argument("--genes", type=int, required=True)
    parser.add_argument(
        "--patches", type=int, default=128, help="patches that the encoder is timed on"
    )
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    stages = Stages(options.spots, options.genes)
    if reason := too_large(options.spots, options.genes):
        stages.skip("naive", reason)
    else:
        measure(stages, min(options.patches, options.spots))
    hand_over(stages.rows)


if __name__ == "__main__":
    main()
