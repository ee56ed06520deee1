"""Blocks of a section: every spot once, as equal as can be, each with all that its prediction looks
at.
"""

import numpy as np
import pytest

from hespotex.batches.cut import Block, block_spots, cut, split
from hespotex.sections.graph import knn_edges


def hexagonal(n: int) -> np.ndarray:
    rows = np.arange(n)
    return np.array([(100.0 * x + 50 * (y % 2), 86.6 * y) for y in rows for x in rows])


POS = {
    "hexagonal": hexagonal(23),
    "scattered": np.random.default_rng(0).uniform(0, 2000, (500, 2)),
    "a line": np.stack([np.arange(300) * 100.0, np.zeros(300)], axis=1),
    "one place": np.zeros((40, 2)),
}


@pytest.mark.parametrize("name", POS)
@pytest.mark.parametrize("n_parts", [1, 2, 3, 7, 16])
def test_parts_are_equal_and_together_the_whole(name: str, n_parts: int) -> None:
    parts = split(POS[name], np.arange(len(POS[name])), n_parts)
    assert len(parts) == n_parts
    assert np.ptp([len(part) for part in parts]) <= 1
    np.testing.assert_array_equal(np.sort(np.concatenate(parts)), np.arange(len(POS[name])))
    assert all((np.diff(part) > 0).all() for part in parts)


def test_parts_are_compact() -> None:
    """Borders of 16 parts of a square are short: few edges cross them."""
    pos = POS["hexagonal"]
    part = np.empty(len(pos), dtype=np.int64)
    for number, spots in enumerate(split(pos, np.arange(len(pos)), 16)):
        part[spots] = number
    source, target = knn_edges(pos, 6)
    assert (part[source] != part[target]).mean() < 0.35


@pytest.mark.parametrize("n_hops", [0, 1, 2, 3])
@pytest.mark.parametrize("name", POS)
def test_the_halo_is_all_that_is_seen_in_so_many_steps(name: str, n_hops: int) -> None:
    """By hand: walk back along the edges; all edges into spots that are passed on are there, under
    the block's numbers.
    """
    pos = POS[name]
    edges = knn_edges(pos, 5)
    blocks = cut(pos, edges, 90, n_hops)
    assert len(blocks) == -(-len(pos) // 90) and max(block.n_inner for block in blocks) <= 90
    np.testing.assert_array_equal(
        np.sort(np.concatenate([b.spots[: b.n_inner] for b in blocks])), np.arange(len(pos))
    )
    into = {spot: set(edges[0, edges[1] == spot].tolist()) for spot in range(len(pos))}
    for block in blocks if len(blocks) > 1 else []:
        seen = passed = set(block.spots[: block.n_inner].tolist())
        for _ in range(n_hops):
            passed = seen
            seen = seen | {other for spot in seen for other in into[spot]}
        assert set(block.spots.tolist()) == seen and len(block.spots) == len(seen)
        expected = {(other, spot) for spot in passed for other in into[spot]} if n_hops else set()
        assert {(int(a), int(b)) for a, b in block.spots[block.edges].T} == expected


def test_a_section_that_fits_is_one_block_as_it_is() -> None:
    edges = knn_edges(POS["scattered"], 5)
    (block,) = cut(POS["scattered"], edges, 500, 2)
    assert isinstance(block, Block) and block.n_inner == 500 and block.edges is edges
    np.testing.assert_array_equal(block.spots, np.arange(500))


def test_size_of_a_block_by_memory() -> None:
    assert block_spots(0.2, 1000) == pytest.approx(2 * block_spots(0.1, 1000), abs=2)
    assert block_spots(0.2, 1000) == pytest.approx(2 * block_spots(0.2, 2000), abs=2)
    assert block_spots(100.0, 10) == 8192
    assert block_spots(0.0, 1000) == 16
