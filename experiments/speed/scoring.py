"""Time and peak memory of the scores of genes of one made-up section, as a row of Markdown."""

import argparse
import resource
import sys
from time import perf_counter, process_time

import numpy as np
import torch
from scipy.sparse import csr_matrix

from hespotex.data.graph import knn_edges
from hespotex.data.target import Target
from hespotex.metrics import Layout, Raster, gene_metrics


def measure(spots: int, genes: int) -> str:
    """| spots | genes | wall s | CPU s | peak GiB |"""
    generator = torch.Generator().manual_seed(0)
    pos = np.stack(np.divmod(np.arange(spots), int(spots**0.5)), axis=1).astype(float)
    layout = Layout(Raster.of(pos, 1.0), knn_edges(pos, 6))
    predicted = torch.randn(spots, genes, generator=generator)
    values = (predicted + torch.randn(spots, genes, generator=generator)).clamp(min=0)
    measured = Target(csr_matrix(values.numpy()), np.ones(genes, dtype=bool))
    wall = perf_counter()
    cpu = process_time()
    gene_metrics(predicted, measured, layout)
    wall = perf_counter() - wall
    cpu = process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return f"| {spots:,} | {genes:,} | {wall:.1f} | {cpu:.1f} | {peak:.2f} |\n"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("spots", type=int)
    parser.add_argument("genes", type=int)
    asked = parser.parse_args()
    sys.stdout.write(measure(asked.spots, asked.genes))
