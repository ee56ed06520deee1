"""How far a patch is from what the model was trained on."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hespotex.common.numerics.moments import CONSTANT, moments
from hespotex.embeddings.levels import LARGEST
from hespotex.embeddings.rows import Embeddings

Floats = NDArray[np.float32]
USUAL = 0.99  # share of the training spots whose distance is called usual


@dataclass(frozen=True)
class Familiarity:
    """Mean and spread of each number of the training embeddings, before any standardisation by
    section, and how far from that mean training spots themselves are: `usual` is the 99th
    percentile of their distance.
    """

    mean: list[float]
    std: list[float]
    usual: float

    @classmethod
    def fit(cls, embeddings: Sequence[Embeddings]) -> "Familiarity":
        """From the embeddings (n_spots, d) of the training sections."""
        mean, std = moments(piece for each in embeddings for piece in each.chunks())
        unscaled = cls(mean.tolist(), np.where(std > CONSTANT, std, 0.0).tolist(), 1.0)
        distance = np.concatenate([unscaled.strangeness(each) for each in embeddings])
        return replace(unscaled, usual=max(float(np.quantile(distance, USUAL)), 1e-6))

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> "Familiarity":
        """As `to_dict` gave it."""
        return cls(list(stored["mean"]), list(stored["std"]), float(stored["usual"]))

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers, as the checkpoint keeps them."""
        return asdict(self)

    def strangeness(self, embeddings: Embeddings) -> Floats:
        """(n_spots, d) -> (n_spots,): root mean squared deviation in training spreads, 1 at the
        99th percentile of training.
        """
        std = np.array(self.std)
        scale = np.array(self.mean), np.where(std > 0, std, np.inf)
        distance = np.concatenate([_distance(piece, *scale) for piece in embeddings.chunks()])
        return np.asarray(distance / self.usual, dtype=np.float32)


def _distance(
    values: NDArray[Any], mean: NDArray[np.float64], std: NDArray[np.float64]
) -> NDArray[np.float64]:
    scaled = np.clip((values - mean) / std, -LARGEST, LARGEST)
    return np.asarray(np.sqrt((scaled**2).mean(axis=1)))
