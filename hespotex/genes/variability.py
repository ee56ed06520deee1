"""How variable a gene is beyond what its mean explains (Seurat v3; Stuart et al. 2019)."""

import logging

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from hespotex.common.numerics.csr import column_sums

log = logging.getLogger(__name__)
SPANS = (0.3, 0.5, 0.8, 1.0)  # loess is singular on small sparse sections: widen, then fall back


def normalised_variance(counts: sparse.csr_matrix) -> NDArray[np.float64]:
    """Variance of clipped, standardised raw counts, (n_genes,); 0 for genes that do not vary.

    The expected standard deviation of a gene comes from a loess of log variance on log mean over
    all genes; values are clipped at sqrt(n_spots) standard deviations.
    """
    counts = sparse.csr_matrix(counts)
    n, n_genes = counts.shape
    # of integers: exact, so equal means stay equal
    total, squares = column_sums(counts, lambda values, _: values)
    mean = total / n
    variance = (squares - total**2 / n) / max(n - 1, 1)
    varies = variance > 1e-12
    result = np.zeros(n_genes)
    if varies.sum() < 3:
        return result
    expected = np.ones_like(mean)
    expected[varies] = 10 ** (_trend(np.log10(mean[varies]), np.log10(variance[varies])) / 2)
    ceiling = expected * np.sqrt(n) + mean
    values, squares = column_sums(counts, lambda values, genes: np.minimum(values, ceiling[genes]))
    result[varies] = ((n * mean**2 + squares - 2 * values * mean) / ((n - 1) * expected**2))[varies]
    return result


def _trend(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Smooth of y on x, by loess where it can be had, else a parabola."""
    from skmisc.loess import loess

    for span in SPANS:
        if span * len(x) < 3:  # a parabola wants three points, and loess crashes with none
            continue
        try:
            model = loess(x, y, span=span, degree=2)
            model.fit()
        except ValueError:  # singular neighbourhoods
            continue
        fitted = np.asarray(model.outputs.fitted_values, dtype=np.float64)
        if np.isfinite(fitted).all():
            return fitted
    log.info("loess is singular for %d genes; the variance trend is a parabola", len(x))
    return np.asarray(np.polyval(np.polyfit(x, y, 2), x))
