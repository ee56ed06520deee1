"""Intervals and tests for scores of sections and groups."""

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Array = NDArray[np.float64]
N_BOOTSTRAP = 2000
EXACT = 15  # sections up to which all 2^n sign patterns are gone through
N_FLIPS = 20_000  # sign patterns drawn where there are more
FEW_GROUPS = 4  # an interval over fewer means little
TIE = 1e-12


def bootstrap_interval(values: Array, seed: int = 0) -> tuple[float, float]:
    """95 % interval of the mean of group values, percentile bootstrap; NaN for a single group."""
    values = values[np.isfinite(values)]
    if len(values) < 2:
        return float("nan"), float("nan")
    draws = np.random.default_rng(seed).choice(values, (N_BOOTSTRAP, len(values))).mean(axis=1)
    low, high = np.percentile(draws, [2.5, 97.5])
    return float(low), float(high)


def sign_flip(differences: Array, seed: int = 0) -> float:
    """Two-sided p of paired differences, under "each could as well have had the other sign"; NaN
    without any.

    Exact for up to 15 differences, and then at least 2 / 2^n: five sections cannot go below 0.0625.
    """
    differences = differences[np.isfinite(differences)]
    n = len(differences)
    if n == 0:
        return float("nan")
    if n <= EXACT:
        signs = 1 - 2 * ((np.arange(2**n)[:, None] >> np.arange(n)) & 1)
        return float((abs(signs @ differences) >= abs(differences.sum()) - TIE).mean())
    signs = np.random.default_rng(seed).choice([-1, 1], (N_FLIPS, n))
    extreme = int((abs(signs @ differences) >= abs(differences.sum()) - TIE).sum())
    return (extreme + 1) / (N_FLIPS + 1)


def t_test(values: Array, alternative: str) -> Array:
    """p of each row's mean against 0, NaN left out.  (n, n_sections) -> (n,)

    alternative: "greater" or "two-sided". NaN with fewer than two values, or where all are equal.
    """
    finite = np.isfinite(values)
    n = finite.sum(axis=1)
    enough = n > 1
    filled = np.where(finite, values, 0.0)
    mean = filled.sum(axis=1) / np.maximum(n, 1)
    squares = np.where(finite, values - mean[:, None], 0.0) ** 2
    error = np.sqrt(squares.sum(axis=1) / np.maximum(n - 1, 1) / np.maximum(n, 1))
    t = np.divide(mean, error, out=np.full(len(mean), np.nan), where=enough & (error > TIE))
    upper = stats.t.sf(t if alternative == "greater" else abs(t), np.maximum(n - 1, 1))
    return np.asarray(upper if alternative == "greater" else 2 * upper, dtype=np.float64)


def benjamini_hochberg(p: Array) -> Array:
    """q of each p: the smallest false discovery rate at which it counts as found; NaN stays and
    does not count.
    """
    q = np.full(len(p), np.nan)
    order = np.argsort(p)[: int(np.isfinite(p).sum())]  # NaN sorts last
    ratio = p[order] * len(order) / np.arange(1, len(order) + 1)
    q[order] = np.minimum(np.minimum.accumulate(ratio[::-1])[::-1], 1.0)
    return q
