"""Metrics of ranks: of each gene over the spots of a section.

Spots without counts, most of a measured gene, share a rank. So the prediction's ranks are asked for
at the other spots alone, in its sorted values, and neither side's ranks are ever laid out over all
spots: both metrics are sums over the spots that have counts.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hespotex.common.numerics.correlation import TINY
from hespotex.metrics.genes import Array

Values = NDArray[np.floating]


@dataclass(frozen=True)
class GeneRanks:
    """What both metrics need of one gene, from its ranks over n spots (from 1, ties averaged).

    Attributes:
        n: spots.
        predicted: ranks of the prediction at the spots whose target is not the lowest one.
        measured: ranks of the target there, as distances from the rank of the lowest one.
        counted: which of these spots are above the lowest one.
        variances: of all ranks, of the prediction and of the target.
    """

    n: int
    predicted: Array
    measured: Array
    counted: NDArray[np.bool_]
    variances: tuple[float, float]

    @classmethod
    def of(cls, predicted: Values, measured: Values, lowest: float) -> "GeneRanks | None":
        """Of one gene's values (n_spots,); None for a gene that holds a NaN."""
        common = lowest if np.isfinite(lowest) else 0.0
        spots = np.flatnonzero(measured != common)
        targets = measured[spots]
        ordered = np.sort(predicted)
        if np.isnan(ordered[-1]) or np.isnan(targets).any():
            return None
        n = len(ordered)
        n_common = n - len(spots)
        counted = targets > common
        n_below = len(spots) - np.count_nonzero(counted)
        ranks, tied = _ranks(targets)
        ranks += n_common * counted - (n_below + (n_common + 1) / 2)
        asked, tied_p = _ranks_among(ordered, predicted[spots])
        variances = _variance(n, tied_p), _variance(n, tied + n_common**3 - n_common)
        return cls(n, asked, ranks, counted, variances)

    def spearman(self) -> float:
        """Pearson of the ranks; NaN for a gene that is constant on either side."""
        if min(self.variances) < TINY:
            return float("nan")
        away = self.predicted - (self.n + 1) / 2
        # not by BLAS: several threads of ours would wait for its one pool of threads
        covariance = np.einsum("n,n->", away, self.measured) / self.n
        return float(covariance / np.sqrt(self.variances[0] * self.variances[1]))

    def area_under_curve(self) -> float:
        """Area under the ROC curve of "this spot has counts", by the rank sum; NaN where all spots
        have counts, or none has.
        """
        n_counted = np.count_nonzero(self.counted)
        pairs = n_counted * (self.n - n_counted)
        rank_sum = self.predicted[self.counted].sum()
        return float((rank_sum - n_counted * (n_counted + 1) / 2) / pairs) if pairs else np.nan


def rank_metrics(predicted: Values, measured: Values, lowest: float = 0.0) -> tuple[Array, Array]:
    """Spearman's correlation and area under the ROC curve of each gene, (n_genes,) twice.

    A log-transformed target is above `lowest` exactly where there are counts. The area is .5 for a
    constant prediction, and NaN for a target without a lower bound (residuals), which does not tell
    where counts are.

    Args:
        predicted, measured: (n_genes, n_spots).
    """
    scores = np.full((2, len(measured)), np.nan)
    for gene, values in enumerate(zip(predicted, measured, strict=True)):
        if ranks := GeneRanks.of(*values, lowest):
            area = np.nan if lowest == -np.inf else ranks.area_under_curve()
            scores[:, gene] = ranks.spearman(), area
    return scores[0], scores[1]


def _ranks(values: Values) -> tuple[Array, int]:
    """Ranks of values, ties averaged, and the sum of t^3 - t over their runs of t equal values."""
    order = values.argsort()
    ends = _run_ends(values[order])
    lengths = ends[1:] - ends[:-1]
    ranks = np.empty(len(values))
    ranks[order] = (ends[1:] - 0.5 * (lengths - 1)).repeat(lengths)
    return ranks, int(_cube(lengths).sum())


def _ranks_among(ordered: Values, some: Values) -> tuple[Array, int]:
    """Ranks of some values among all of them, which are sorted; ties and the sum as above."""
    order = some.argsort()
    asked = some[order]
    before = ordered.searchsorted(asked)
    ranks = np.empty(len(some))
    if not (ordered[1:] == ordered[:-1]).any():
        ranks[order] = before + 1
        return ranks, 0
    ranks[order] = (before + ordered.searchsorted(asked, side="right") + 1) / 2
    return ranks, int(_cube(np.diff(_run_ends(ordered))).sum())


def _run_ends(ordered: Values) -> NDArray[np.int64]:
    """Where runs of equal values begin, and where the last one ends."""
    begins = np.ones(len(ordered) + 1, dtype=bool)
    np.not_equal(ordered[1:], ordered[:-1], out=begins[1:-1])
    return np.flatnonzero(begins)


def _cube(n: NDArray[np.int64]) -> NDArray[np.int64]:
    return n * n * n - n


def _variance(n: int, tied: int) -> float:
    """Of ranks from 1 to n (Kendall 1945); exactly 0 where all are equal."""
    return float(n**3 - n - tied) / (12 * n)
