"""How strange a patch is, in units of what is usual in training."""

from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from hespotex.embeddings.familiarity import Familiarity
from hespotex.embeddings.levels import LARGEST


class Rows:
    """Embeddings in memory, in two pieces; the last number is always the same."""

    def __init__(self, seed: int, shift: float = 0.0, scale: float = 1.0) -> None:
        values = (np.random.default_rng(seed).normal(size=(500, 8)) * scale + shift) * np.arange(
            1, 9
        )
        values[:, -1] = 5.0
        self.values = values.astype(np.float32)

    def chunks(self) -> Iterator[NDArray[np.float32]]:
        yield from np.array_split(self.values, 2)


@pytest.fixture(scope="module")
def familiarity() -> Familiarity:
    return Familiarity.fit([Rows(0), Rows(1)])  # type: ignore[list-item]


def test_one_training_spot_in_a_hundred_is_stranger_than_usual(familiarity: Familiarity) -> None:
    strange = np.concatenate([familiarity.strangeness(Rows(seed)) for seed in (0, 1)])  # type: ignore[arg-type]
    assert np.mean(strange > 1) == pytest.approx(0.01, abs=0.002)


def test_by_hand(familiarity: Familiarity) -> None:
    pooled = np.concatenate([Rows(0).values, Rows(1).values]).astype(np.float64)
    z = (pooled[:3] - pooled.mean(0)) / np.where(pooled.std(0) > 1e-6, pooled.std(0), np.inf)
    expected = np.sqrt((np.clip(z, -LARGEST, LARGEST) ** 2).mean(1)) / familiarity.usual
    np.testing.assert_allclose(familiarity.strangeness(Rows(0))[:3], expected, rtol=1e-4)  # type: ignore[arg-type]


@pytest.mark.parametrize(("shift", "scale"), [(3.0, 1.0), (0.0, 3.0)])
def test_another_scanner_is_strange_but_one_number_counts_at_most_six(
    familiarity: Familiarity, shift: float, scale: float
) -> None:
    strange = familiarity.strangeness(Rows(2, shift, scale))  # type: ignore[arg-type]
    assert np.mean(strange > 1) > 0.5
    assert strange.max() <= LARGEST / familiarity.usual


def test_there_and_back(familiarity: Familiarity) -> None:
    assert Familiarity.from_dict(familiarity.to_dict()) == familiarity
