"""All metrics of one test section: per gene, and as one row of a table."""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hespotex.common.numerics.heap import keep_freed_memory, return_freed_memory
from hespotex.common.progress import progress_bar
from hespotex.metrics.autocorrelation import Neighbours
from hespotex.metrics.genes import by_gene, gene_pearson
from hespotex.metrics.maps import Raster
from hespotex.metrics.per_gene import AVERAGED, GENE_METRICS, FewGenes
from hespotex.metrics.structure import cluster_agreement, gene_gene_correlation, spot_pearson

PerGene = dict[str, NDArray[np.float64]]
Row = dict[str, float | int]
Values = NDArray[np.floating]
# genes, and spots times genes, of the block that a thread has at a time: they bound the memory
BLOCK = 250
VALUES = 16_000_000
CACHED = 65_536  # spots times genes whose scores are computed together
PIECE = 2_000_000  # spots times genes that are looked at together for what is not per gene
SHARES = (0.1, 0.3, 0.5)  # of genes with a Pearson above this
ORACLE = 50  # genes


@dataclass(frozen=True)
class Layout:
    """Where the spots of a section are.

    `raster`: the spots as a picture. `edges` (2, n_edges): nearest spots, row 0 the neighbour.
    `labels`: a pathologist's label of each spot, or None.
    """

    raster: Raster
    edges: NDArray[np.int64]
    labels: Sequence[str | None] | None = None


class Measured(Protocol):
    """Measured expression (n_spots, n_genes) that is given as float32 for some spots, or for some
    genes.
    """

    def __getitem__(self, spots: Tensor) -> Tensor: ...

    def genes(self, start: int, stop: int) -> Tensor:
        """All spots of the genes from `start` up to `stop`, (n_spots, stop - start)."""
        ...


def gene_metrics(
    predicted: Tensor, measured: Measured, layout: Layout, lowest: float = 0.0
) -> PerGene:
    """Every per-gene metric of a section, some genes at a time, by as many threads as torch has.

    Args:
        predicted, measured: (n_spots, n_genes).
        lowest: no target is below it, and the target is at it where there are no counts; -infinity
          for residuals.
    """
    n_spots, n_genes = predicted.shape
    size = max(1, min(BLOCK, VALUES // n_spots))
    starts = range(0, n_genes, size)
    neighbours = Neighbours(layout.edges, n_spots)

    def score(start: int) -> PerGene:
        stop = min(start + size, n_genes)
        p = by_gene(predicted[:, start:stop])
        m = by_gene(measured.genes(start, stop))
        return _block(p, m, layout.raster, neighbours, lowest)

    blocks = []
    keep_freed_memory()
    with (
        ThreadPoolExecutor(min(torch.get_num_threads(), len(starts))) as pool,
        progress_bar(n_genes, "gene", "scores of genes") as bar,
    ):
        for block in pool.map(score, starts):
            blocks.append(block)
            bar.update(len(block["pcc"]))
            return_freed_memory()
    return _joined(blocks)


def spot_correlation(predicted: Tensor, measured: Measured) -> NDArray[np.float64]:
    """`spot_pearson` of all spots, some at a time, by as many threads as torch has."""
    spots = torch.split(torch.arange(len(predicted)), max(1, PIECE // predicted.shape[1]))
    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        values = list(pool.map(lambda some: spot_pearson(predicted[some], measured[some]), spots))
    return np.concatenate(values)


def pieces(predicted: Tensor, measured: Measured) -> Iterator[tuple[Tensor, Tensor]]:
    """Prediction and measurement of some spots at a time."""
    for spots in torch.split(torch.arange(len(predicted)), max(1, PIECE // predicted.shape[1])):
        yield predicted[spots], measured[spots]


def _block(
    predicted: Values, measured: Values, raster: Raster, neighbours: Neighbours, lowest: float
) -> PerGene:
    """Of (n_genes, n_spots): few genes at a time, so that they stay in the processor's cache."""
    n_genes, n_spots = predicted.shape
    size = max(1, CACHED // n_spots)
    where = (raster, neighbours, lowest)
    return _joined(
        [
            _scores(FewGenes(predicted[i : i + size], measured[i : i + size], *where))
            for i in range(0, n_genes, size)
        ]
    )


def _scores(few: FewGenes) -> PerGene:
    return {name: of(few) for name, of in GENE_METRICS.items()}


def _joined(blocks: list[PerGene]) -> PerGene:
    return {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}


def section_metrics(
    per_gene: PerGene, predicted: Tensor, measured: Measured, layout: Layout
) -> Row:
    """One row of the table: each metric's mean over the genes that have a value, and what is not
    per gene.
    """
    pcc = known(per_gene["pcc"])
    quartiles = np.percentile(pcc, [25, 50, 75]) if len(pcc) else [np.nan] * 3
    ari, nmi = cluster_agreement(predicted, layout.labels)
    row: Row = {"pcc_gene": mean(pcc), "n_genes_scored": len(pcc)}
    row |= dict(
        zip(("pcc_gene_q25", "pcc_gene_median", "pcc_gene_q75"), map(float, quartiles), strict=True)
    )
    row |= {f"share_above_{limit}": mean(pcc > limit) for limit in SHARES}
    row |= {name: mean(known(per_gene[name])) for name in AVERAGED}
    return row | {
        "pcc_spot": mean(known(spot_correlation(predicted, measured))),
        "moran_correlation": moran_correlation(per_gene),
        "gene_gene_correlation": gene_gene_correlation(
            pieces(predicted, measured), np.isfinite(per_gene["pcc"])
        ),
        "ari": ari,
        "nmi": nmi,
    }


def ceiling_metrics(pcc: NDArray[np.float64], ceiling: NDArray[np.float64]) -> Row:
    """Mean of `thinning_ceiling`, and how much of it was reached over the genes that have both."""
    both = np.isfinite(pcc) & np.isfinite(ceiling)
    highest = mean(ceiling[both])
    share = mean(pcc[both]) / highest if highest > 0 else float("nan")
    return {"noise_ceiling": mean(known(ceiling)), "share_of_ceiling": share}


def gene_set_metrics(
    pcc: NDArray[np.float64], genes: Sequence[str], gene_sets: Mapping[str, Sequence[str]]
) -> Row:
    """Mean Pearson over each gene set, and the number of its genes that have one.

    `pcc_gene@oracle50` is over the 50 genes that were predicted best on this very section: no set
    that could have been chosen beforehand, so it says oracle wherever it is shown.
    """
    row: Row = {}
    for name, members in gene_sets.items():
        scored = known(pcc[np.isin(genes, list(members))])
        row |= {f"pcc_gene@{name}": mean(scored), f"n_genes_scored@{name}": len(scored)}
    return row | {f"pcc_gene@oracle{ORACLE}": mean(np.sort(known(pcc))[::-1][:ORACLE])}


def moran_correlation(per_gene: PerGene) -> float:
    """Pearson over genes between Moran's I of truth and prediction; over genes that have both."""
    both = np.stack([per_gene["moran_measured"], per_gene["moran_predicted"]], axis=1)
    both = both[np.isfinite(both).all(axis=1)]
    one, other = torch.from_numpy(both)[:, :, None].unbind(1)
    return float(gene_pearson(one, other)) if len(both) > 1 else float("nan")


def known(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The values that are there."""
    return values[np.isfinite(values)]


def mean_of_known(values: NDArray[np.float64]) -> float:
    """Mean of the values that are there, NaN of nothing."""
    return mean(known(values))


def mean(values: NDArray[np.float64] | NDArray[np.bool_]) -> float:
    """Mean, NaN of nothing."""
    return float(np.mean(values)) if len(values) else float("nan")
