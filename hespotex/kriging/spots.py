"""The measured spots of a section."""

from dataclasses import dataclass

import numpy as np

from hespotex.kriging.field import Array


@dataclass(frozen=True)
class MeasuredSpots:
    """Spots of which counts are known, m of them.

    Attributes:
        pos: centres (m, 2), um.
        expression: in the unit of the prediction, (m, n_genes), every value known.
        depth: counts of each spot over all genes, (m,).
        predicted: what the image alone says of these spots, (m, n_genes).
    """

    pos: Array
    expression: Array
    depth: Array
    predicted: Array

    @property
    def noise(self) -> Array:
        """Variance of each spot's noise beside the mean of all, (m,): it falls as the depth
        grows.
        """
        inverse = 1 / np.maximum(self.depth, 1)
        return np.asarray(inverse / inverse.mean())

    def __len__(self) -> int:
        return len(self.pos)
