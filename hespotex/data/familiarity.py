"""How far a patch is from what the model was trained on."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
USUAL = 0.99  # share of the training spots whose distance is called usual
LARGEST = 6.0  # one number of an embedding counts at most as so many standard deviations


@dataclass(frozen=True)
class Familiarity:
    """Mean and spread of each number of the training embeddings, before any standardisation by section, and how far
    from that mean training spots themselves are: `usual` is the 99th percentile of their distance.
    """

    mean: list[float]
    std: list[float]
    usual: float

    @classmethod
    def fit(cls, embeddings: Sequence[Floats]) -> "Familiarity":
        """From the embeddings (n_spots, d) of the training sections."""
        values = np.concatenate(embeddings).astype(np.float64)
        mean, std = values.mean(axis=0), values.std(axis=0)
        std = np.where(std > 1e-6, std, np.inf)
        usual = float(np.quantile(_distance(values, mean, std), USUAL))
        return cls(mean.tolist(), np.where(np.isfinite(std), std, 0.0).tolist(), max(usual, 1e-6))

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> "Familiarity":
        """As `to_dict` gave it."""
        return cls(list(stored["mean"]), list(stored["std"]), float(stored["usual"]))

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    def strangeness(self, embedding: Floats) -> Floats:
        """(n_spots, d) -> (n_spots,): root mean squared deviation in training spreads, 1 at the 99th percentile of training."""
        std = np.array(self.std)
        distance = _distance(embedding, np.array(self.mean), np.where(std > 0, std, np.inf))
        return np.asarray(distance / self.usual, dtype=np.float32)


def _distance(values: NDArray[Any], mean: NDArray[np.float64], std: NDArray[np.float64]) -> NDArray[np.float64]:
    scaled = np.clip((values - mean) / std, -LARGEST, LARGEST)
    return np.asarray(np.sqrt((scaled**2).mean(axis=1)))
