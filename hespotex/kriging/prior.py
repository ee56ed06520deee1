"""What the errors of an image model look like on sections that it has not seen."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hespotex.kriging.field import Array

SPOTS = 20  # measured spots that the prior's noise counts as
TINY = 1e-12


@dataclass(frozen=True)
class Prior:
    """Which fields have said most of left-out blocks of training sections, predicted by a model
    that had not seen them. Measured spots of a slide update it.

    Attributes:
        squares: squared errors under each field, in units of those under the first field that has
          the whole slide's part, geometric mean over sections, (n_fields, n_groups): the programmes
          by their strength, and last what they leave.
        noise: variance of a spot of usual depth, (q,): the programmes, then each gene.
        n_spots: of a usual section; it counts as so many measured spots.
    """

    squares: Array
    noise: Array
    n_spots: int

    @classmethod
    def of(
        cls, squares: Sequence[Array], noise: Sequence[Array], n_spots: Sequence[int]
    ) -> "Prior":
        """From what each section gave: squares (n_fields, n_groups), noise (n_fields, q)."""
        logs = np.mean([_logs(own) for own in squares], axis=0)
        each = [own[-1] for own in noise]
        return cls(np.exp(logs), np.mean(each, axis=0), round(float(np.mean(n_spots))))

    def best(self, squares: Array, m: int) -> NDArray[np.int64]:
        """The field of each group, (n_groups,), by the likelihood of both: errors of unknown size
        count by the logarithm of their squares.

        Args:
            squares: of the slide's own left-out spots, (n_fields, n_groups).
            m: how many spots these are.
        """
        together = self.n_spots * np.log(self.squares) + m * _logs(squares)
        return np.asarray(together.argmin(axis=0))

    def noise_with(self, noise: Array, m: int) -> Array:
        """The noise that `m` spots show, (n_fields, q), drawn towards that of training."""
        return np.asarray((m * noise + SPOTS * self.noise) / (m + SPOTS))

    def of_programmes(self, k: int) -> "Prior":
        """Of the first k programmes; those beyond the prior's own are as its last."""
        last = self.squares.shape[1] - 1
        places = np.minimum(np.arange(k), max(last - 1, 0))
        squares = self.squares[:, [*places, last]]
        return Prior(squares, np.r_[self.noise[places], self.noise[last:]], self.n_spots)

    def of_genes(self, genes: NDArray[np.int64]) -> "Prior":
        """Of some genes, given by their numbers."""
        last = self.squares.shape[1] - 1
        noise = np.r_[self.noise[:last], self.noise[last:][genes]]
        return Prior(self.squares, noise, self.n_spots)


def _logs(squares: Array) -> Array:
    """In units of the second row, the whole slide's part, or of the first where it is alone."""
    reference = squares[min(1, len(squares) - 1)]
    return np.asarray(np.log((squares + TINY) / (reference + TINY)))
