"""Centroids around spots."""

from typing import Any

import numpy as np
import pytest
from builders import MPP, section
from hypothesis import given, settings
from hypothesis import strategies as st

from hespotex.common.errors import InputError
from hespotex.nuclei import NucleiPerSpot, NucleiTable
from hespotex.nuclei.count import count_around
from hespotex.nuclei.table import join, nuclei_table
from hespotex.sections.section import Section


class Four:
    """Nuclei at given distances (um) to the right of the first spot, and one on the diagonal."""

    name = "four"
    around_um = 100.0

    def identity(self, section: Section) -> dict[str, Any]:
        return {"version": 1}

    def nuclei(self, section: Section) -> NucleiTable:
        return nuclei_table(
            section.pos_px[0] + np.array([[0, 0], [9.9, 0], [10.1, 0], [8, 8]]) / MPP
        )

    def expected_seconds(self, section: Section) -> float | None:
        return None


@pytest.mark.parametrize(("shape", "expected"), [("square", 3), ("circle", 2)])
def test_shapes(shape: str, expected: int) -> None:
    counter = NucleiPerSpot(Four(), count_um=20.0, shape=shape)
    counts = counter(section())
    assert counts.dtype == np.float32 and counts.tolist() == [expected] + [0] * 24
    assert counter.name == "nuclei-four"
    assert counter.identity(section()) == {
        "source": {"version": 1},
        "count_um": 20.0,
        "shape": shape,
    }


@given(
    st.integers(0, 60),
    st.integers(1, 30),
    st.floats(0.5, 80),
    st.sampled_from(["square", "circle"]),
    st.integers(0, 999),
)
@settings(max_examples=50, deadline=None)
def test_equals_all_pairs(n_nuclei: int, n_spots: int, reach: float, shape: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    nuclei = rng.uniform(0, 100, (n_nuclei, 2))
    spots = rng.uniform(0, 100, (n_spots, 2))
    gap = nuclei[None] - spots[:, None]
    distance = np.abs(gap).max(axis=2) if shape == "square" else np.linalg.norm(gap, axis=2)
    np.testing.assert_array_equal(
        count_around(nuclei, spots, reach, shape), (distance <= reach).sum(axis=1)
    )


def test_many_nuclei_and_spots_take_no_time() -> None:
    """A Visium HD section: quadratic work would not end here."""
    rng = np.random.default_rng(0)
    counts = count_around(
        rng.uniform(0, 20_000, (200_000, 2)), rng.uniform(0, 20_000, (100_000, 2)), 40.0, "square"
    )
    assert counts.mean() == pytest.approx(200_000 * 80**2 / 20_000**2, rel=0.05)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"shape": "hexagon"}, "nuclei.counter.shape='hexagon': expected one of square, circle"),
        ({"count_um": 0.0}, "nuclei.counter.count_um=0: expected a length in um above 0"),
        ({"count_um": 112.0}, "at most the 100 um around each spot"),
    ],
)
def test_settings_that_cannot_be(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        NucleiPerSpot(Four(), **{"count_um": 20.0, **settings})


def test_tables_join() -> None:
    a = nuclei_table(np.ones((2, 2)), np.array([3.0, 4.0]), ["x", "long name"])
    b = nuclei_table(np.zeros((1, 2)))
    both = join([a, b])
    assert (
        len(both) == 3
        and both.kind.tolist() == ["x", "long name", ""]
        and np.isnan(both.area_um2[2])
    )
    assert len(join([])) == 0
    np.testing.assert_array_equal(both.moved((1, 2), 3.0).centroids, [[6, 9], [6, 9], [3, 6]])
    assert both.keep(both.area_um2 > 3).kind.tolist() == ["long name"]
