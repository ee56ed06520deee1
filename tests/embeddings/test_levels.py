"""By what a slide is standardised: its own tissue, and training's where it is small."""

from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from hespotex.embeddings.levels import STRENGTHS, UNTOLD, Scale, TrainingScale, together

Rows = NDArray[np.float32]
SIDE = 16


class Section:
    """Embeddings on a square grid of spots."""

    def __init__(self, values: Rows) -> None:
        self.values = values

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, spots: NDArray[np.int64]) -> Rows:
        return self.values[spots]

    def chunks(self) -> Iterator[Rows]:
        yield from np.array_split(self.values, 3)


def grid() -> NDArray[np.float64]:
    return np.stack(np.divmod(np.arange(SIDE**2), SIDE), axis=1) * 100.0


def drawn(between: float, seed: int, n: int = 6) -> dict[str, Section]:
    """Sections whose patches spread by 1 and whose means differ by `between`."""
    rng = np.random.default_rng(seed)
    means = rng.normal(0, between, (n, 1, 12))
    values = rng.normal(0, 1, (n, SIDE**2, 12)) + means
    return {f"S{i}": Section(own.astype(np.float32)) for i, own in enumerate(values)}


def fitted(sections: dict[str, Section], groups: dict[str, str] | None = None) -> TrainingScale:
    places = dict.fromkeys(sections, grid())
    return TrainingScale.fit(sections, places, groups or {name: name for name in sections})


def test_standardised_by_hand() -> None:
    rows = np.array([[1.0, 5.0], [3.0, 5.0]], dtype=np.float32)
    scale = Scale.of([rows])
    np.testing.assert_allclose(scale(rows), [[-1, 0], [1, 0]])
    assert scale(np.array([[1e6, 5.0]], dtype=np.float32)).tolist() == [[6, 0]]


def test_mean_of_the_means_and_root_of_the_mean_variance() -> None:
    one = Scale(np.array([0.0]), np.array([1.0]))
    both = together([one, Scale(np.array([4.0]), np.array([7.0]))])
    assert both.mean.tolist() == [2] and both.std.tolist() == [5]


def test_few_patches_count_little_and_many_count_alone() -> None:
    known = TrainingScale([0.0], [1.0], strength=4.0)
    own = Scale(np.array([10.0]), np.array([3.0]))
    half = known.with_own(own, 4)
    assert half.mean.tolist() == [5] and half.std.tolist() == [pytest.approx(5**0.5)]
    assert known.with_own(own, 10**6).mean[0] == pytest.approx(10, rel=1e-4)
    alone = TrainingScale([0.0], [1.0], strength=0.0)
    assert alone.with_own(own, 1).mean.tolist() == [10]


def test_strength_is_higher_where_patients_are_alike() -> None:
    """For means that differ by s, a training mean is worth 1 / s^2 patches."""
    found = [np.mean([fitted(drawn(s, seed)).strength for seed in range(3)]) for s in (0.1, 2.0)]
    assert found[0] > 16 and found[1] <= 4


def test_sections_of_one_patient_do_not_tell_how_patients_differ() -> None:
    sections = drawn(0.05, 0)
    assert fitted(sections, dict.fromkeys(sections, "P")).strength == UNTOLD
    groups = {name: "PQ"[i % 2] for i, name in enumerate(sections)}
    assert fitted(sections, groups).strength in STRENGTHS
    assert fitted(sections, groups).strength != UNTOLD


def test_one_section() -> None:
    only = drawn(1.0, 0, n=1)
    found = fitted(only)
    values = only["S0"].values
    assert found.strength == UNTOLD
    np.testing.assert_allclose(found.mean, values.mean(0), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(found.std, values.std(0), rtol=1e-4)


def test_there_and_back() -> None:
    found = fitted(drawn(1.0, 0))
    assert TrainingScale.from_dict(found.to_dict()) == found
