"""Metrics across genes: profiles of spots, co-expression, and clusters against a pathologist's
labels.
"""

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hespotex.common.numerics.correlation import TINY
from hespotex.metrics.genes import Array, Centred, correlation, gene_pearson

# whose correlation matrix is compared; of more genes, evenly spaced ones in panel order
MAX_GENES = 1000
COLUMNS = 200  # of a correlation matrix at a time
N_COMPONENTS = 20  # of the prediction, before clustering


def spot_pearson(predicted: Tensor, measured: Tensor) -> Array:
    """Pearson of each spot over the genes that were measured, (n_spots,); NaN for a constant spot.

    Never a headline: the mean profile of all spots alone reaches about 0.7.
    """
    p = predicted.numpy()
    m = measured.numpy()
    complete = ~np.isnan(p.sum(axis=0) + m.sum(axis=0))
    if not complete.all():
        p = p[:, complete]
        m = m[:, complete]
    return correlation(Centred.of(p), Centred.of(m))


def gene_gene_correlation(
    pieces: Iterable[tuple[Tensor, Tensor]], varies: NDArray[np.bool_]
) -> float:
    """Pearson between the gene-gene correlation matrices of prediction and truth, each pair of
    genes once.

    Over genes that vary on both sides, at most 1,000 of them; NaN with fewer than three.

    Args:
        pieces: predicted and measured (n, n_genes) of some spots at a time; together the section.
        varies: (n_genes,), which genes vary on both sides.
    """
    genes = np.flatnonzero(varies)
    if len(genes) < 3:
        return float("nan")
    genes = genes[:: -(-len(genes) // MAX_GENES)]
    columns = torch.from_numpy(genes)
    sums = _Correlation(len(genes)), _Correlation(len(genes))
    for both in pieces:
        for each, values in zip(sums, both, strict=True):
            each.add(values.index_select(1, columns))
    one, other = torch.triu_indices(len(genes), len(genes), offset=1)
    return float(gene_pearson(*(each.matrix()[one, other][:, None] for each in sums)))


class _Correlation:
    """Correlations of columns, added up over pieces of rows, as distances to the first row.

    Only what is on and above the diagonal counts; below it there is less than all.
    """

    def __init__(self, d: int) -> None:
        self.n = 0
        self.first = torch.zeros(0)
        self.x = torch.zeros(d).double()
        self.xx = torch.zeros(d, d).double()

    def add(self, values: Tensor) -> None:
        away = values.double()
        self.first = self.first if self.n else away[0].clone()
        away -= self.first
        self.n += len(away)
        self.x += away.sum(0)
        for start in range(0, away.shape[1], COLUMNS):
            some = away[:, start : start + COLUMNS]
            self.xx[start : start + COLUMNS, start:].addmm_(some.T, away[:, start:])

    def matrix(self) -> Tensor:
        covariance = self.xx / self.n - torch.outer(self.x, self.x) / self.n**2
        spread = covariance.diagonal().clamp(min=TINY).sqrt()
        return covariance / torch.outer(spread, spread)


def cluster_agreement(
    predicted: Tensor, labels: Sequence[str | None] | None, seed: int = 0
) -> tuple[float, float]:
    """Adjusted Rand index and normalised mutual information of clusters of the prediction against
    labels.

    k-means with as many clusters as there are labels, on the first 20 principal components of the
    predicted expression of the labelled spots. NaN without labels, with a single one, or for a
    prediction that is constant.
    """
    from sklearn.cluster import KMeans
    from sklearn.decomposition import PCA
    from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

    labelled = [i for i, label in enumerate(labels or []) if label]
    truth = [str(labels[i]) for i in labelled] if labels else []
    values: NDArray[np.float64] = predicted[labelled].double().cpu().numpy()
    if len(set(truth)) < 2 or values.var(axis=0).max(initial=0) < TINY:
        return float("nan"), float("nan")
    reduced = PCA(min(N_COMPONENTS, *values.shape), random_state=seed).fit_transform(values)
    clusters = KMeans(len(set(truth)), n_init=10, random_state=seed).fit_predict(reduced)
    return float(adjusted_rand_score(truth, clusters)), float(
        normalized_mutual_info_score(truth, clusters)
    )
