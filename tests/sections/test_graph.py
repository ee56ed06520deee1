"""The spot graph: degrees, and ties that do not depend on a library."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from hespotex.sections.graph import knn_edges, undirected_with_loops

Points = NDArray[np.float64]


def slow_knn(pos: Points, k: int, tie: float) -> NDArray[np.int64]:
    """By definition: all distances, sorted by rounded distance and then by index."""
    edges = []
    for i in range(len(pos)):
        distance = np.sqrt(((pos - pos[i]) ** 2).sum(axis=1))
        order = sorted((round(d / tie), j) for j, d in enumerate(distance) if j != i)
        edges += [(j, i) for _, j in order[:k]]
    return np.array(edges, dtype=np.int64).reshape(-1, 2).T


def hexagons(n_rows: int, n_columns: int) -> Points:
    row, column = np.divmod(np.arange(n_rows * n_columns), n_columns)
    return np.stack([100.0 * column + 50.0 * (row % 2), 100 * 3**0.5 / 2 * row], axis=1)


def squares(n: int, pitch: float = 200.0) -> Points:
    row, column = np.divmod(np.arange(n * n), n)
    return pitch * np.stack([column, row], axis=1).astype(np.float64)


@given(st.integers(1, 60), st.integers(1, 12), st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None, database=None)
def test_random_points_agree_with_brute_force(n: int, k: int, seed: int) -> None:
    pos = np.random.default_rng(seed).uniform(0, 3000, (n, 2))
    np.testing.assert_array_equal(knn_edges(pos, k), slow_knn(pos, k, tie=1.0))


@given(st.integers(2, 7), st.integers(1, 8), st.integers(0, 2**32 - 1))
@settings(max_examples=40, deadline=None, database=None)
def test_equal_distances_go_to_the_smaller_index_in_any_order(n: int, k: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    # distances stay within their um
    pos = squares(n)[rng.permutation(n * n)] + rng.uniform(-0.1, 0.1, (n * n, 2))
    np.testing.assert_array_equal(knn_edges(pos, k), slow_knn(squares_of(pos), k, tie=1.0))


def squares_of(pos: Points) -> Points:
    return np.round(pos / 200) * 200


@pytest.mark.parametrize(
    "pos", [hexagons(8, 9), squares(9), hexagons(8, 9) @ [[0.6, 0.8], [-0.8, 0.6]]]
)
@pytest.mark.parametrize("k", [1, 4, 6, 8])
def test_degree_is_k_without_self(pos: Points, k: int) -> None:
    source, target = knn_edges(pos, k)
    assert source.dtype == np.int64 and (source != target).all()
    np.testing.assert_array_equal(np.bincount(target, minlength=len(pos)), k)
    assert len(np.unique(np.stack([source, target]), axis=1).T) == k * len(pos)


def test_inside_a_grid_the_neighbours_are_those_next_to_the_spot() -> None:
    source, target = knn_edges(squares(5), 4)
    assert sorted(source[target == 12]) == [7, 11, 13, 17]
    hexagonal = hexagons(5, 5)
    source, target = knn_edges(hexagonal, 6)
    near = np.linalg.norm(hexagonal[source[target == 12]] - hexagonal[12], axis=1)
    np.testing.assert_allclose(near, 100)


def test_ties_of_a_corner_are_broken_by_index() -> None:
    source, target = knn_edges(squares(3), 1)
    assert source[target == 4].tolist() == [1]  # 1, 3, 5 and 7 are all 200 um away


@pytest.mark.parametrize("shift", [0.0, 1e-9, 0.2])
def test_rounding_of_pixels_does_not_move_an_edge(shift: float) -> None:
    exact = squares(6)
    moved = squares(6) + np.random.default_rng(0).uniform(-shift, shift, (36, 2))
    np.testing.assert_array_equal(knn_edges(exact, 6), knn_edges(moved, 6))


@pytest.mark.parametrize(("n", "k"), [(2, 6), (4, 6), (6, 6), (7, 6)])
def test_a_small_section_gives_all_it_has(n: int, k: int) -> None:
    pos = np.random.default_rng(0).uniform(0, 1000, (n, 2))
    edges = knn_edges(pos, k)
    assert edges.shape == (2, n * min(k, n - 1))
    np.testing.assert_array_equal(edges, slow_knn(pos, k, 1.0))


@pytest.mark.parametrize("n", [0, 1])
def test_one_spot_has_no_edge(n: int) -> None:
    edges = knn_edges(np.zeros((n, 2)), 6)
    assert edges.shape == (2, 0) and edges.dtype == np.int64


def test_spots_on_one_place_still_have_no_self() -> None:
    source, target = knn_edges(np.zeros((30, 2)), 4)
    assert (source != target).all() and (np.bincount(target) == 4).all()


@pytest.mark.parametrize(("n", "k"), [(1, 3), (5, 2), (30, 4)])
def test_undirected_with_loops(n: int, k: int) -> None:
    edges = knn_edges(np.random.default_rng(0).uniform(0, 1000, (n, 2)), k)
    both = undirected_with_loops(edges, n)
    found = {(int(a), int(b)) for a, b in both.T}
    assert len(found) == both.shape[1]
    expected = {(int(a), int(b)) for a, b in np.concatenate([edges, edges[::-1]], axis=1).T} | {
        (i, i) for i in range(n)
    }
    assert found == expected
