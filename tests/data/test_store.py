"""The embedding store: computed once, never stale, whole or absent."""

import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from hespotex.data.embed import embed_section
from hespotex.data.store import EmbeddingStore

from .builders import MeanColour, picture, section, write_pyramid

Rows = NDArray[np.float32]
BARCODES = ["a", "b", "c"]
ROWS = np.arange(6, dtype=np.float32).reshape(3, 2)


class Counted:
    def __init__(self, rows: Rows = ROWS) -> None:
        self.rows, self.calls = rows, 0

    def __call__(self) -> Rows:
        self.calls += 1
        return self.rows


def test_computed_once(tmp_path: Path) -> None:
    compute = Counted()
    for store in (EmbeddingStore(str(tmp_path)), EmbeddingStore(str(tmp_path))):
        found = store.load("S1", "enc", {"v": 1}, BARCODES, compute)
        np.testing.assert_array_equal(found, ROWS)
        assert found.dtype == np.float32
    assert compute.calls == 1


def test_other_identity_section_or_name_is_another_file(tmp_path: Path) -> None:
    store, compute = EmbeddingStore(str(tmp_path)), Counted()
    asked: list[tuple[str, str, dict[str, Any]]] = [
        ("S1", "enc", {"v": 1, "w": "x"}), ("S1", "enc", {"v": 2, "w": "x"}), ("S2", "enc", {"v": 1, "w": "x"}),
        ("S1", "other", {"v": 1, "w": "x"}), ("S1", "enc", {"w": "x", "v": 1}),
    ]  # fmt: skip
    for section_id, name, identity in asked:
        store.load(section_id, name, identity, BARCODES, compute)
    assert compute.calls == 4 and len({store.path(*key) for key in asked}) == 4


def test_rows_come_in_the_order_of_the_barcodes(tmp_path: Path) -> None:
    store, compute = EmbeddingStore(str(tmp_path)), Counted()
    store.load("S1", "enc", {}, BARCODES, compute)
    np.testing.assert_array_equal(store.load("S1", "enc", {}, ["c", "a"], compute), ROWS[[2, 0]])


def fail() -> Rows:
    raise KeyboardInterrupt


@pytest.mark.parametrize("compute", [fail, Counted(ROWS[:2]), Counted(ROWS * np.float32(np.nan))])
def test_a_failure_leaves_no_file(tmp_path: Path, compute: Callable[[], Rows]) -> None:
    store = EmbeddingStore(str(tmp_path))
    with pytest.raises((KeyboardInterrupt, ValueError), match=r"expected finite embeddings \(3, d\), got|^$"):
        store.load("S1", "enc", {}, BARCODES, compute)
    assert [path for path in tmp_path.rglob("*") if path.is_file() and path.suffix != ".lock"] == []
    np.testing.assert_array_equal(store.load("S1", "enc", {}, BARCODES, Counted()), ROWS)


def slow_rows(root: str, number: int) -> Rows:
    """One of several at the same time, each with numbers of its own."""

    def compute() -> Rows:
        time.sleep(0.2)
        return ROWS + np.float32(10 * number)

    return EmbeddingStore(root).load("S1", "enc", {}, BARCODES, compute)


@pytest.mark.parametrize("kind", ["threads", "processes"])
def test_at_the_same_time_one_computes_and_all_get_its_rows(tmp_path: Path, kind: str) -> None:
    pool: Any = ThreadPoolExecutor(4) if kind == "threads" else ProcessPoolExecutor(2, mp_context=get_context("fork"))
    with pool:
        found = [job.result() for job in [pool.submit(slow_rows, str(tmp_path), number) for number in range(4)]]
    for rows in found[1:]:
        np.testing.assert_array_equal(rows, found[0])
    assert len(list(tmp_path.rglob("*.h5"))) == 1


@pytest.fixture
def image(tmp_path: Path) -> Path:
    return write_pyramid(tmp_path / "a.tif", [picture(340, 340)])


def test_embeddings_of_a_section(tmp_path: Path, image: Path) -> None:
    spots, store, encoder = section(image=image), EmbeddingStore(str(tmp_path / "store")), MeanColour([40.0, 100.0])
    found = embed_section(spots, encoder, store)
    assert found.shape == (25, 6) and encoder.calls == 2
    pixels = picture(340, 340)
    for spot, (x, y) in enumerate(spots.pos_px.astype(int)):
        expected = pixels[y - 10 : y + 10, x - 10 : x + 10].reshape(-1, 3).mean(axis=0)
        np.testing.assert_allclose(found[spot, :3], expected, atol=3)
    np.testing.assert_array_equal(embed_section(spots, encoder, store), found)
    assert encoder.calls == 2


@pytest.mark.parametrize("change", ["encoder", "patch_px", "patch_um", "mpp", "positions", "image", "nothing"])
def test_whatever_made_the_numbers_is_in_the_key(tmp_path: Path, image: Path, change: str) -> None:
    store, before = EmbeddingStore(str(tmp_path / "store")), MeanColour()
    spots = section(image=image)
    embed_section(spots, before, store)
    after = MeanColour()
    if change == "encoder":
        after.version = 2
    elif change == "patch_px":
        after.patch_px = 20
    elif change == "patch_um":
        after.patch_um = [90.0]
    elif change == "mpp":
        spots = replace(spots, mpp=2.1)
    elif change == "positions":
        spots = section(pos=spots.pos_px + 1, image=image)
    elif change == "image":
        write_pyramid(image, [picture(340, 340, seed=5)])
    embed_section(spots, after, store)
    assert after.calls == (0 if change == "nothing" else 1)


def test_fewer_spots_are_embedded_anew_and_alike(tmp_path: Path, image: Path) -> None:
    spots, store, encoder = section(image=image), EmbeddingStore(str(tmp_path / "store")), MeanColour()
    whole = embed_section(spots, encoder, store)
    np.testing.assert_allclose(embed_section(spots.keep([3, 8, 20]), encoder, store), whole[[3, 8, 20]])


@pytest.mark.parametrize("corrected", [True, False])
def test_other_barcodes_at_the_same_places(tmp_path: Path, image: Path, corrected: bool) -> None:
    """Barcodes do not change what the image shows at a position."""
    spots, store, encoder = section(image=image), EmbeddingStore(str(tmp_path / "store")), MeanColour()
    before = embed_section(spots, encoder, store)
    renamed = section(image=image)
    renamed.adata.obs_names = spots.barcodes[::-1] if corrected else [f"x-{name}" for name in spots.barcodes]
    np.testing.assert_array_equal(embed_section(renamed, encoder, store), before)
