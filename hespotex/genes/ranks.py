"""Further rules for the genes to predict; like `HighlyVariableGenes` they see training sections
only.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from hespotex.common.numerics.csr import scaled_rows
from hespotex.genes.panel import RankedGenes
from hespotex.genes.residuals import THETA, residual_variance
from hespotex.metrics import Neighbours, sparse_morans_i
from hespotex.sections.graph import knn_edges
from hespotex.sections.section import Section, library_size

TARGET_SUM = 1e4


@dataclass(frozen=True)
class PearsonVariableGenes(RankedGenes):
    """Genes with the largest variance of analytic Pearson residuals in the training sections (Lause
    et al. 2021).

    Args:
        theta: overdispersion of the null model; infinite for Poisson.
    """

    theta: float = THETA

    def score(self, section: Section, genes: list[str]) -> NDArray[np.float64]:
        """Variance of the residuals within the section, (n_genes,)."""
        return residual_variance(section.adata[:, genes].X, self.theta)

    def rank(self, scores: Sequence[NDArray[np.float64]], genes: list[str]) -> NDArray[np.int64]:
        """Genes that are among the top of most sections come first; see `by_votes`."""
        return self.by_votes(scores, genes)


@dataclass(frozen=True)
class HighestMeanGenes(RankedGenes):
    """Genes with the highest mean log-normalised expression, averaged over the training
    sections.
    """

    alone = True

    def score(self, section: Section, genes: list[str]) -> NDArray[np.float64]:
        """Mean over the spots of log(1 + counts per 10,000), (n_genes,)."""
        return np.asarray(log_normalised(section, genes).mean(axis=0), dtype=np.float64).ravel()

    def rank(self, scores: Sequence[NDArray[np.float64]], genes: list[str]) -> NDArray[np.int64]:
        """By the mean over the sections, the highest first."""
        return self.by_mean(scores, genes)


@dataclass(frozen=True)
class SpatialGenes(RankedGenes):
    """Genes whose log-normalised expression has the highest Moran's I, averaged over the training
    sections.

    Args:
        n_neighbours: nearest spots that count as neighbours.
    """

    n_neighbours: int = 6
    alone = True

    def rank(self, scores: Sequence[NDArray[np.float64]], genes: list[str]) -> NDArray[np.int64]:
        """By Moran's I averaged over the sections, the highest first."""
        return self.by_mean(scores, genes)

    def score(self, section: Section, genes: list[str]) -> NDArray[np.float64]:
        """Moran's I over the nearest spots, (n_genes,); 0 for a gene that is constant."""
        neighbours = Neighbours(knn_edges(section.pos, self.n_neighbours), len(section.pos))
        scores = sparse_morans_i(log_normalised(section, genes), neighbours)
        return np.nan_to_num(scores)  # a constant gene has no pattern


def log_normalised(section: Section, genes: list[str]) -> sparse.csr_matrix:
    """log(1 + 10,000 * counts / counts of the spot over all its genes), (n_spots, n_genes),
    sparse.
    """
    library = library_size(section.adata.X).astype(np.float64)
    counts = sparse.csr_matrix(section.adata[:, genes].X)
    return scaled_rows(counts, TARGET_SUM / np.maximum(library, 1)).log1p()
