"""What is systematic in the counts of the training sections, as a target for an image.

Counts of a spot are Poisson with rates w H, both non-negative: a few programmes H that all spots
share, and how much of each a spot has, w. The target is what log1p of the scaled counts would be on
average under these rates: the measured one, less the noise of counting, with all that depth does to
it.
"""

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse
from sklearn.decomposition import NMF, non_negative_factorization
from sklearn.exceptions import ConvergenceWarning
from torch import Tensor

from hespotex.common.files import digest
from hespotex.common.numerics.digests import array_digest
from hespotex.genes.block_target import BlockTarget
from hespotex.genes.target import Target
from hespotex.metrics.thinning import split_counts

log = logging.getLogger(__name__)
Floats = NDArray[np.float64]
PROGRAMMES = (4, 8, 16)
STEPS = 100  # of a factorisation
LEAST_RATE = 1e-6  # expected counts
# of a table of counts or rates that is made at once
MOST_SPOTS = 20_000
MOST_NUMBERS = 5_000_000
MOST_COUNT = 200  # that is added up over; beyond, the second order of the curve is enough
SAFE = 6.0  # standard deviations within which all counts of a rate are taken to lie
FURTHER = 10  # counts, for rates near 0


@dataclass(frozen=True)
class Programmes:
    """Expected counts of each gene where a spot has one of each programme, (k, g)."""

    genes: Floats

    @classmethod
    def fit(cls, counts: sparse.csr_matrix, numbers: Sequence[int], seed: int) -> "Programmes":
        """Of these counts (n, g).

        How many is chosen by splitting each count in two: programmes and spots are fitted to one
        half, and the rates that make the other half likeliest are taken.

        Args:
            counts: of the spots that teach.
            numbers: of programmes to choose from; one, where all are as many as spots or genes.
            seed: of the split and of the first guess.
        """
        numbers = [k for k in numbers if k < min(counts.shape)] or [1]
        one, other = split_counts(counts, np.random.default_rng(seed))
        unseen = other.toarray()
        loss = {k: deviance(unseen, _rates(one, k, seed)) for k in numbers}
        best = min(loss, key=loss.__getitem__)
        log.info("%d programmes in the counts of %d spots", best, counts.shape[0])
        return cls(_factorised(counts, best, seed)[1])

    def weights(self, counts: sparse.csr_matrix) -> Floats:
        """How much of each programme every spot has, (n, k), from its counts (n, g)."""
        each = most_spots(counts.shape[1])
        pieces = (counts[at : at + each] for at in range(0, counts.shape[0], each))
        return np.concatenate([self._weights(piece.toarray()) for piece in pieces])

    def _weights(self, counts: Floats) -> Floats:
        k = len(self.genes)
        if not (counts.any() and self.genes.any()):  # scikit-learn refuses zeros alone
            return np.zeros((len(counts), k))
        settings = {"n_components": k, "solver": "mu", "beta_loss": 1, "max_iter": STEPS}
        with _unended():
            found = non_negative_factorization(counts, H=self.genes, update_H=False, **settings)
        return np.asarray(found[0])


def _factorised(counts: sparse.csr_matrix, k: int, seed: int) -> tuple[Floats, Floats]:
    """W (n, k) and H (k, g), finite; zeros where nothing was counted."""
    table = counts.toarray().astype(np.float64)
    if not table.any():
        return np.zeros((len(table), k)), np.zeros((k, table.shape[1]))
    for start in ("nndsvda", "random"):  # the first has no numbers for tables of a low rank
        settings = {"init": start, "solver": "mu", "beta_loss": 1, "max_iter": STEPS}
        model = NMF(k, random_state=seed, **settings)
        with _unended():
            w = model.fit_transform(table)
        if np.isfinite(w).all() and np.isfinite(model.components_).all():
            break
    return w, model.components_


@contextmanager
def _unended() -> Iterator[None]:
    """Without scikit-learn's word that `STEPS` did not bring it to an end: none is needed; nor
    NumPy's of 0 / 0, see `_factorised`.
    """
    with warnings.catch_warnings(), np.errstate(invalid="ignore", divide="ignore"):
        warnings.simplefilter("ignore", ConvergenceWarning)
        yield


def _rates(counts: sparse.csr_matrix, k: int, seed: int) -> Floats:
    """Expected counts (n, g)."""
    w, h = _factorised(counts, k, seed)
    return np.maximum(w @ h, LEAST_RATE)


def deviance(counts: Floats, rates: Floats) -> float:
    """Mean Poisson loss, but for what does not depend on the rates."""
    return float((rates - counts * np.log(rates)).mean())


class DenoisedTarget:
    """Expression of a section under rates that its counts follow, made where it is looked at.

    Args:
        weights: how much of each programme every spot has, (n_spots, k).
        programmes: what these are.
        scale: of each spot, see `hespotex.genes.target.Target`.
    """

    def __init__(self, weights: Floats, programmes: Programmes, scale: Floats) -> None:
        self.weights = weights
        self.programmes = programmes
        self.scale = scale

    @classmethod
    def of(cls, measured: Target, programmes: Programmes) -> "DenoisedTarget":
        """Of a section whose target was measured.

        Raises:
            InputError: see `Target.counts`.
        """
        return cls(programmes.weights(measured.counts()), programmes, measured.scale)

    def __len__(self) -> int:
        return len(self.weights)

    def __getitem__(self, spots: Tensor) -> Tensor:
        """(len(spots), n_genes)"""
        each = most_spots(self.programmes.genes.shape[1])
        return torch.cat([self._rows(few) for few in torch.split(spots, each)])

    def _rows(self, spots: Tensor) -> Tensor:
        numbers = spots.numpy()
        rates = np.maximum(self.weights[numbers] @ self.programmes.genes, LEAST_RATE)
        return torch.from_numpy(expected(rates, self.scale[numbers]).astype(np.float32))

    def block(self, spots: Tensor) -> BlockTarget:
        """What a model learns at these spots."""
        return BlockTarget.of_table(self[spots])

    def fingerprint(self) -> str:
        """Hash of all that the values are made of."""
        arrays = (self.weights, self.programmes.genes, self.scale)
        return digest([array_digest(array) for array in arrays])


def expected(rates: Floats, scale: Floats) -> Floats:
    """The mean of log1p(scale * counts) where counts are Poisson with these rates.

    Args:
        rates: (n, g), above 0.
        scale: of each spot, (n,).
    """
    scale = scale[:, None].astype(np.float64)
    few = rates + SAFE * np.sqrt(rates) < MOST_COUNT
    curve = np.log1p(scale * rates) - rates * (scale / (1 + scale * rates)) ** 2 / 2
    mean = np.zeros_like(rates)
    chance = np.exp(-rates)
    for count in range(_counts(rates[few])):
        mean += chance * np.log1p(scale * count)
        chance *= rates / (count + 1)
    return np.where(few, mean, curve)


def _counts(rates: Floats) -> int:
    """How many counts, from 0, hold all that these rates give."""
    most = rates.max(initial=0.0)
    return min(MOST_COUNT, int(most + SAFE * np.sqrt(most)) + FURTHER)


def most_spots(n_genes: int) -> int:
    """That programmes of so many genes are learned from, and that are looked at together."""
    return max(1, min(MOST_SPOTS, MOST_NUMBERS // n_genes))
