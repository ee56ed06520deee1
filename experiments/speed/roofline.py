"""What fraction of the floor each stage reaches: the floor is what its arithmetic, or the bytes it
cannot avoid, cost here.

The work is counted by formula from the algorithm, not from the code: products once forward and
twice backward (once where the input needs no gradient), each input and target read once. Everything
else (activations, dropout, optimiser, Lightning) is what is left between floor and measurement.
"""

import argparse
import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import process_time

import torch
from measuring import Row
from synthetic import assay_of

log = logging.getLogger("speed")
# of model=dual_stream
D_IMAGE = 512
D_HIDDEN = 256
D_LATENT = 64
N_LAYERS = 2
K = 18
# k = 8 made undirected, with self loops
TEACHER_HIDDEN = 512
TEACHER_EDGES = 11
VIT_B32_FLOPS = 2 * 4.37e9  # multiply-adds of a patch of 224 px, twice


@dataclass(frozen=True)
class Machine:
    """Measured rates: dense products (FLOP/s, by shape), sparse product (FLOP/s), copies
    (bytes/s).
    """

    dense: float
    sparse: float
    copy: float


@dataclass(frozen=True)
class Work:
    """Of one spot in one epoch."""

    dense: float = 0.0
    sparse: float = 0.0
    moved: float = 0.0

    def seconds(self, machine: Machine) -> float:
        """Arithmetic and traffic may overlap; the two kinds of product may not."""
        return max(
            self.dense / machine.dense + self.sparse / machine.sparse, self.moved / machine.copy
        )


def stage2(genes: int, density: float) -> Work:
    """Latent head, graph layers, and what the loss needs of the measurement: the product of the
    non-zero y with the features that expression is linear in, and its gradient.
    """
    head = 2 * (2 * D_IMAGE * D_HIDDEN + 3 * D_HIDDEN * D_LATENT)
    layers = N_LAYERS * 2 * 3 * 2 * D_LATENT**2
    neighbours = N_LAYERS * 2 * 2 * K * D_LATENT
    measured = 2 * 2 * (2 * D_LATENT) * genes * density
    moved = 2 * D_IMAGE + 2 * 8 * genes * density + 8 * K
    return Work(head + layers, neighbours + measured, moved)


def stage1(width: int) -> Work:
    """Autoencoder on `width` inputs a spot (genes or principal components), tied weights, both
    attentions at 64 or `width`.
    """
    products = 2 * TEACHER_HIDDEN * (2 * width + 3 * 2 * D_LATENT + 3 * width)
    attention = 2 * 3 * TEACHER_EDGES * (min(width, TEACHER_HIDDEN) + D_LATENT)
    return Work(products, attention, 4 * width)


def fastest(work: Callable[[], object], rounds: int = 5) -> float:
    """Seconds of the best round, after one that does not count."""
    work()
    times = []
    for _ in range(rounds):
        started = process_time()
        work()
        times.append(process_time() - started)
    return min(times)


def measure_machine(n: int = 8192, genes: int = 2500, density: float = 0.15) -> Machine:
    """Rates at the shapes of stage 2, into memory that is there already."""
    x = torch.randn(n, D_IMAGE)
    w = torch.randn(D_IMAGE, D_HIDDEN)
    out = torch.empty(n, D_HIDDEN)
    dense = 2 * x.numel() * D_HIDDEN / fastest(lambda: torch.mm(x, w, out=out))
    y = (torch.rand(n, genes) < density).float().to_sparse_csr()
    f = torch.randn(genes, 2 * D_LATENT)
    sparse = 2 * len(y.values()) * f.shape[1] / fastest(lambda: y @ f)
    source = torch.ones(1 << 26)
    target = torch.ones(1 << 26)
    return Machine(dense, sparse, 2 * 4 * len(source) / fastest(lambda: target.copy_(source)))


def floor(row: Row, machine: Machine, width: int) -> float | None:
    """Seconds that the stage of this row cannot go below on this machine; None where nothing is
    counted.
    """
    density = assay_of(row.spots).density
    works = {
        "fit, an epoch": stage2(row.genes, density),
        "teacher, an epoch": stage1(width),
        "embed, ViT-B/32": Work(dense=VIT_B32_FLOPS),
        "naive: encoder, an epoch": Work(dense=VIT_B32_FLOPS),
        "naive: stage 2, an epoch": Work(dense=3 * 2 * 4 * 12 * row.genes**2),
        "naive: stage 1, an epoch": Work(dense=2 * TEACHER_HIDDEN * 5 * row.genes),
    }
    work = works.get(row.stage)
    return work.seconds(machine) * row.unit_spots if work else None


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description="Floors of the stages in a table of training.py, on the same machine."
    )
    parser.add_argument(
        "--table", type=Path, default=Path("outputs/speed/table.json"), help="default: %(default)s"
    )
    parser.add_argument(
        "--teacher-width",
        type=int,
        default=128,
        help="principal components of the teacher (default: %(default)s)",
    )
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    machine = measure_machine()
    rates = tuple(rate / 1e9 for rate in (machine.dense, machine.sparse, machine.copy))
    log.info(
        "dense products %.0f GFLOP/s, sparse products %.1f GFLOP/s, copies %.1f GB/s\n", *rates
    )
    log.info(
        "| stage | spots | genes | CPU seconds | floor | share of the floor reached"
        " |\n|---|---|---|---|---|---|"
    )
    for row in (Row(**values) for values in json.loads(options.table.read_text())):
        least = floor(row, machine, options.teacher_width)
        if least and row.seconds:
            cells = (
                f"{row.spots:,} | {row.genes:,} | {row.seconds:.3g} | {least:.3g} |"
                f" {least / row.seconds:.0%}"
            )
            log.info("| %s | %s |", row.stage, cells)


if __name__ == "__main__":
    main()
