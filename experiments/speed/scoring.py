"""Time and peak memory of the scores of one made-up section, as a row of Markdown.

The prediction is a table in memory, as evaluation has it; the measurement stays sparse and is made
dense for the genes or spots that are looked at.
"""

import argparse
import resource
import sys
from time import perf_counter, process_time

import numpy as np
import torch
from scipy.sparse import csc_matrix, csr_matrix
from synthetic import assay_of
from torch import Tensor

from hespotex.genes.target import Target
from hespotex.metrics import Layout, Raster, gene_metrics, section_metrics
from hespotex.sections.graph import knn_edges

COLUMNS = 100  # genes that are drawn together


def tables(spots: int, genes: int, density: float) -> tuple[Tensor, Target]:
    """A prediction, and a measurement of which it knows something; some genes at a time."""
    generator = torch.Generator().manual_seed(0)
    predicted = torch.empty(spots, genes)
    columns = []
    threshold = float(torch.distributions.Normal(0, 2**0.5).icdf(torch.tensor(1 - density)))
    for start in range(0, genes, COLUMNS):
        part = predicted[:, start : start + COLUMNS]
        part.normal_(generator=generator)
        noise = torch.randn(part.shape, generator=generator)
        columns.append(csc_matrix((part + noise - threshold).clamp(min=0).numpy()))
    values = csr_matrix(sparse_side_by_side(columns))
    return predicted, Target(values, np.ones(genes, dtype=bool))


def sparse_side_by_side(columns: list[csc_matrix]) -> csc_matrix:
    """One matrix of all columns, without a copy of each kind at once."""
    data = np.concatenate([part.data for part in columns])
    rows = np.concatenate([part.indices for part in columns])
    counts = np.concatenate([np.diff(part.indptr) for part in columns])
    starts = np.concatenate([[0], np.cumsum(counts)])
    return csc_matrix((data, rows, starts), shape=(columns[0].shape[0], len(counts)))


def measure(spots: int, genes: int) -> str:
    """| spots | genes | of what | wall s | CPU s | peak GiB |, of genes and of the section."""
    assay = assay_of(spots)
    side = int(spots**0.5)
    pos = np.stack(np.divmod(np.arange(spots), side), axis=1).astype(float)
    layout = Layout(Raster.of(pos, 1.0), knn_edges(pos, 6))
    predicted, measured = tables(spots, genes, assay.density)
    rows = []
    per_gene = {}
    for name, score in (
        ("genes", lambda: per_gene.update(gene_metrics(predicted, measured, layout))),
        ("section", lambda: section_metrics(per_gene, predicted, measured, layout)),
    ):
        wall = perf_counter()
        cpu = process_time()
        score()
        wall = perf_counter() - wall
        cpu = process_time() - cpu
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        rows.append(f"| {spots:,} | {genes:,} | {name} | {wall:.1f} | {cpu:.1f} | {peak:.2f} |\n")
    return "".join(rows)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("spots", type=int)
    parser.add_argument("genes", type=int)
    asked = parser.parse_args()
    sys.stdout.write(measure(asked.spots, asked.genes))
