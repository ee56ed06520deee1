"""How far a perfect prediction could correlate with noisy counts, by binomial thinning."""

from collections.abc import Callable, Iterable

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from torch import Tensor

from hespotex.metrics.genes import gene_pearson

Transform = Callable[[csr_matrix], Iterable[NDArray[np.floating] | Tensor]]


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
        transform: from such counts to the target's values, (n_spots, n) of some genes at a time;
            it gets each half.
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


def are_counts(values: csr_matrix) -> bool:
    """Whether all are whole numbers, none below 0."""
    return bool(((values.data >= 0) & (values.data == np.floor(values.data))).all())


def split_counts(counts: csr_matrix, rng: np.random.Generator) -> tuple[csr_matrix, csr_matrix]:
    """Two halves that add up to the counts: each molecule goes to either by chance."""
    whole = csr_matrix(counts)
    if not are_counts(whole):
        raise ValueError("thinning wants counts: whole numbers, none below 0")
    number = whole.data.astype(np.int64)
    first = whole.copy()
    second = whole.copy()
    first.data = rng.binomial(number, 0.5).astype(np.float64)
    second.data = (number - first.data).astype(np.float64)
    return first, second


def _halves_correlate(counts: csr_matrix, transform: Transform, rng: np.random.Generator) -> Tensor:
    pairs = zip(*(transform(half) for half in split_counts(counts, rng)), strict=True)
    return torch.cat([gene_pearson(torch.as_tensor(a), torch.as_tensor(b)) for a, b in pairs])
