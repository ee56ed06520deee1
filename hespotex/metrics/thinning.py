"""How far a perfect prediction could correlate with noisy counts, by binomial thinning."""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from torch import Tensor

from hespotex.metrics.genes import gene_pearson

Transform = Callable[[csr_matrix], NDArray[np.floating]]


def thinning_ceiling(
    counts: csr_matrix,
    transform: Transform,
    repeats: int = 5,
    seed: int = 0,
) -> Tensor:
    r"""Highest Pearson correlation with each measured gene that noise of counting leaves.

    Every count is split in two at random, each molecule to either half. With r the correlation of
    the halves over spots, the whole has reliability :math:`2 r / (1 + r)` (Spearman-Brown), and the
    truth correlates with it by the square root of that. It bounds the noise of counting only:
    what an image cannot show, and what a protocol loses, it does not know. r is the mean over the
    repeats; a gene whose halves do not correlate has the ceiling 0.

    Args:
        counts: of one section, whole numbers; of all genes that a spot's depth is made of.
        transform: from such counts to the target's values, (n_spots, n_genes); it gets each half.
        repeats: splits.
        seed: of the splits.

    Returns:
        (n_genes,) float64, 0 to 1; NaN for a gene that is constant, or whose halves always are.

    Raises:
        ValueError: counts that are negative or no whole numbers.
    """
    rng = np.random.default_rng(seed)
    each = [_halves_correlate(counts, transform, rng) for _ in range(repeats)]
    r = torch.stack(each).nanmean(0).clamp(min=0)
    return (2 * r / (1 + r)).sqrt()


def split_counts(counts: csr_matrix, rng: np.random.Generator) -> tuple[csr_matrix, csr_matrix]:
    """Two halves that add up to the counts: each molecule goes to either by chance."""
    whole = csr_matrix(counts)
    if not ((whole.data >= 0) & (whole.data == np.floor(whole.data))).all():
        raise ValueError("thinning wants counts: whole numbers, none below 0")
    number = whole.data.astype(np.int64)
    first = whole.copy()
    second = whole.copy()
    first.data = rng.binomial(number, 0.5).astype(np.float64)
    second.data = (number - first.data).astype(np.float64)
    return first, second


def _halves_correlate(counts: csr_matrix, transform: Transform, rng: np.random.Generator) -> Tensor:
    halves = split_counts(counts, rng)
    first, second = (torch.from_numpy(np.asarray(transform(half))) for half in halves)
    return gene_pearson(first, second)
