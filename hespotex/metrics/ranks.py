"""Ranks of genes over the spots of a section, and what is made of them."""

import math

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from hespotex.metrics.genes import Array, Centred, correlation

Keys = NDArray[np.uint64]
ONE = np.uint64(1)
VALUE_BITS = np.uint64(32)
SIGN = np.uint64(1 << 31)
ONE_GENE = np.uint64(1 << 32)


def average_ranks(values: NDArray[np.floating]) -> Array:
    """Ranks of each gene's values from 1, ties averaged; NaN throughout a gene that holds a NaN.

    Only what is not zero is sorted, as whole numbers: zeros, most of a measured gene, share a rank.

    Args:
        values: (n_genes, n_spots); float32 is much faster.
    """
    if values.dtype != np.float32:
        return np.asarray(rankdata(values, axis=1), dtype=np.float64)
    n_genes, n_spots = values.shape
    # the numbers of a gene and of a place among all of them have half a key together
    size = max(1, math.isqrt(2**30 // n_spots))
    return np.concatenate([_ranks(values[i : i + size]) for i in range(0, n_genes, size)])


def spearman(predicted: Array, measured: Array) -> Array:
    """Pearson of the ranks (`average_ranks`), (n_genes,). NaN also where the prediction is
    constant.
    """
    return correlation(Centred.of(predicted), Centred.of(measured))


def area_under_curve(ranks: Array, measured: NDArray[np.floating], lowest: float = 0.0) -> Array:
    """Area under the ROC curve of "this spot has counts", by the rank sum, (n_genes,); 0.5 for a
    constant prediction.

    A log-transformed target is above `lowest` exactly where there are counts. NaN where all spots
    have counts, or none has, and everywhere for a target without a lower bound (residuals), which
    does not tell where counts are.

    Args:
        ranks: of the prediction (`average_ranks`), (n_genes, n_spots); measured: likewise.
    """
    present = measured > lowest
    n_present = np.count_nonzero(present, axis=1).astype(np.float64)
    pairs = n_present * (present.shape[1] - n_present)
    rank_sum = np.einsum("gn,gn->g", ranks, present)
    area = (rank_sum - n_present * (n_present + 1) / 2) / np.where(pairs > 0, pairs, np.nan)
    unknown = np.isnan(measured).any(axis=1) | (lowest == -np.inf)
    return np.where(unknown, np.nan, area)


def _ranks(values: NDArray[np.float32]) -> Array:
    n_spots = values.shape[1]
    place_bits = np.uint64(values.size.bit_length())
    n_other = np.count_nonzero(values, axis=1)
    n_zero = n_spots - n_other
    ranks = np.empty(values.shape)
    ranks[:] = (np.count_nonzero(values < 0, axis=1) + (n_zero + 1) / 2)[:, None]
    keys = _sorted_keys(values, n_other, place_bits)
    place = (keys & ((ONE << place_bits) - ONE)).view(np.int64)
    keys >>= place_bits
    first, count = _ties(keys)
    rank = first + (count + 1) / 2
    _from_each_gene(rank, keys[first], n_other, n_zero)
    ranks.ravel()[place] = rank if len(rank) == len(keys) else np.repeat(rank, count)
    ranks[np.isnan(values).any(axis=1)] = np.nan
    return ranks


def _from_each_gene(
    rank: Array, keys: Keys, n_other: NDArray[np.int64], n_zero: NDArray[np.int64]
) -> None:
    """Have ranks over all genes begin anew at each gene, with its zeros below what is above 0."""
    starts = np.arange(len(n_other), dtype=np.uint64) << VALUE_BITS
    starts, zeros, stops = np.searchsorted(keys, [starts, starts | SIGN, starts + ONE_GENE])
    before = np.cumsum(n_other) - n_other
    for start, zero, stop, others, n in zip(starts, zeros, stops, before, n_zero, strict=True):
        rank[start:stop] -= others
        rank[zero:stop] += n


def _sorted_keys(values: NDArray[np.float32], n_other: NDArray[np.int64], bits: np.uint64) -> Keys:
    """One whole number for each value that is not zero: its gene, then its own bits in the order of
    values, then its place.

    Args:
        n_other: values of each gene that are not zero.
        bits: of a place.
    """
    place = np.flatnonzero(values)
    pattern = values.ravel()[place].view(np.int32)
    # of a number below zero all bits are turned, of one above it the sign
    ordered = (pattern ^ ((pattern >> 31) | np.int32(-(2**31)))).view(np.uint32)
    gene = np.repeat(np.arange(len(values), dtype=np.uint64) << VALUE_BITS, n_other)
    keys = ((gene | ordered) << bits) | place.view(np.uint64)
    keys.sort()
    return keys


def _ties(keys: Keys) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where each run of equal keys begins, and how many there are in it."""
    starts = np.ones(len(keys), dtype=bool)
    np.not_equal(keys[1:], keys[:-1], out=starts[1:])
    first = np.flatnonzero(starts)
    return first, np.diff(np.append(first, len(keys)))
