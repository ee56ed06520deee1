"""The embedding store: computed once, never stale, whole or absent."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from builders import MeanColour, picture, section, write_pyramid
from filelock import FileLock
from numpy.typing import NDArray

from hespotex.common.errors import InputError
from hespotex.embeddings.embed import embed_section
from hespotex.embeddings.store import EmbeddingStore, Request

Rows = NDArray[np.float32]
OPEN_FILES = Path("/proc/self/fd")
BARCODES = ["a", "b", "c"]
ROWS = np.arange(6, dtype=np.float32).reshape(3, 2)


class Counted:
    def __init__(self, rows: Rows = ROWS) -> None:
        self.rows = rows
        self.calls = 0

    def __call__(self, start: int) -> list[Rows]:
        self.calls += 1
        return [self.rows[start:]]


def request(
    section_id: str = "S1", name: str = "enc", identity: dict[str, Any] | None = None
) -> Request:
    return Request(section_id, name, identity or {}, BARCODES)


def test_computed_once(tmp_path: Path) -> None:
    compute = Counted()
    for store in (EmbeddingStore(str(tmp_path)), EmbeddingStore(str(tmp_path))):
        found = store.load(request(), compute)[:]
        np.testing.assert_array_equal(found, ROWS)
        assert found.dtype == np.float32
    assert compute.calls == 1


def test_other_identity_section_or_name_is_another_file(tmp_path: Path) -> None:
    store = EmbeddingStore(str(tmp_path))
    compute = Counted()
    asked = [
        request(identity={"v": 1, "w": "x"}),
        request(identity={"v": 2, "w": "x"}),
        request("S2", identity={"v": 1, "w": "x"}),
        request(name="other", identity={"v": 1, "w": "x"}),
        request(identity={"w": "x", "v": 1}),
    ]
    for each in asked:
        store.load(each, compute)
    assert compute.calls == 4 and len({store.path(each) for each in asked}) == 4


def test_rows_come_in_the_order_of_the_barcodes(tmp_path: Path) -> None:
    """Whatever order they were made in, and asked for."""
    store = EmbeddingStore(str(tmp_path))
    compute = Counted()
    backwards = np.array([2, 1, 0])
    np.testing.assert_array_equal(store.load(request(), compute, lambda: backwards)[:], ROWS[::-1])
    np.testing.assert_array_equal(
        store.load(replace(request(), barcodes=["c", "a"]), compute)[:], ROWS[[0, 2]]
    )


def test_rows_are_mapped_and_cannot_be_changed(tmp_path: Path) -> None:
    """What several processes read is in memory once; a file in chunks, of an older version, is read
    as well.
    """
    store = EmbeddingStore(str(tmp_path))
    wanted = request()
    rows = store.load(wanted, Counted()).rows
    assert isinstance(rows, np.memmap) and not rows.flags.writeable
    with h5py.File(store.path(wanted), "r+") as file:
        values = file["embedding"][:]
        del file["embedding"]
        file.create_dataset("embedding", data=values, chunks=(2, values.shape[1]))
    np.testing.assert_array_equal(store.load(wanted, fail)[:], ROWS)


@pytest.mark.skipif(not OPEN_FILES.is_dir(), reason="no /proc/self/fd")
def test_no_file_stays_open(tmp_path: Path) -> None:
    """A data set may have more sections than a process may have open files."""
    store = EmbeddingStore(str(tmp_path))
    before = len(list(OPEN_FILES.iterdir()))
    held = [store.load(request(f"S{i}"), Counted()) for i in range(9)]
    assert all(np.array_equal(rows[:], ROWS) for rows in held)
    assert len(list(OPEN_FILES.iterdir())) == before


def test_a_file_that_is_taken_away_meanwhile(tmp_path: Path) -> None:
    store = EmbeddingStore(str(tmp_path))
    rows = store.load(request(), Counted())
    store.path(request()).unlink()
    with pytest.raises(InputError, match=r"taken out of the store .* give the same command again"):
        rows[:]


def test_half_precision_unless_the_numbers_are_too_large(tmp_path: Path) -> None:
    rows = ROWS + np.float32(0.0001)
    half = EmbeddingStore(str(tmp_path))
    full = EmbeddingStore(str(tmp_path), "full")
    np.testing.assert_array_equal(full.load(request(), Counted(rows))[:], rows)
    np.testing.assert_array_equal(half.load(request(), Counted(rows))[:], rows.astype(np.float16))
    np.testing.assert_array_equal(
        half.load(request("large"), Counted(ROWS * np.float32(1e5)))[:], ROWS * np.float32(1e5)
    )
    with pytest.raises(InputError, match=r"store.precision: expected half or full, got 'double'"):
        EmbeddingStore(str(tmp_path), "double")


def fail(_: int) -> list[Rows]:
    raise KeyboardInterrupt


@pytest.mark.parametrize("compute", [fail, Counted(ROWS[:2]), Counted(ROWS * np.float32(np.nan))])
def test_a_failure_leaves_no_file(tmp_path: Path, compute: Callable[[int], list[Rows]]) -> None:
    store = EmbeddingStore(str(tmp_path))
    with pytest.raises(
        (KeyboardInterrupt, ValueError, InputError), match=r"expected 3 rows, got 2|not finite|^$"
    ):
        store.load(request(), compute)[:]
    assert [path for path in tmp_path.rglob("*") if path.is_file() and path.suffix != ".lock"] == []
    np.testing.assert_array_equal(store.load(request(), Counted())[:], ROWS)


def test_an_interrupted_fill_goes_on_and_gives_the_same_bytes(tmp_path: Path) -> None:
    rows = np.random.default_rng(0).normal(size=(1000, 3)).astype(np.float32)
    wanted = Request("S1", "enc", {}, [str(i) for i in range(1000)])
    starts = []

    def compute(start: int, stop: int = 1000) -> Iterator[Rows]:
        starts.append(start)
        for first in range(start, stop, 64):
            yield rows[first : first + 64]
        if stop < 1000:
            raise KeyboardInterrupt

    whole = EmbeddingStore(str(tmp_path / "whole"))
    broken = EmbeddingStore(str(tmp_path / "broken"))
    whole.load(wanted, compute)
    for stop in (300, 700):
        with pytest.raises(KeyboardInterrupt):
            broken.load(wanted, lambda start, stop=stop: compute(start, stop))  # type: ignore[misc]
    np.testing.assert_array_equal(broken.load(wanted, compute)[:], rows.astype(np.float16))
    assert starts == [0, 0, 256, 512]
    assert broken.path(wanted).read_bytes() == whole.path(wanted).read_bytes()
    assert {path.suffix for path in tmp_path.rglob("*") if path.is_file()} == {".h5", ".lock"}


def slow_rows(root: str, number: int) -> Rows:
    """One of several at the same time, each with numbers of its own."""

    def compute(_: int) -> list[Rows]:
        time.sleep(0.2)
        return [ROWS + np.float32(10 * number)]

    return EmbeddingStore(root).load(request(), compute)[:]


@pytest.mark.parametrize("kind", ["threads", "processes"])
def test_at_the_same_time_one_computes_and_all_get_its_rows(tmp_path: Path, kind: str) -> None:
    pool: Any = (
        ThreadPoolExecutor(4)
        if kind == "threads"
        else ProcessPoolExecutor(2, mp_context=get_context("fork"))
    )
    with pool:
        found = [
            job.result()
            for job in [pool.submit(slow_rows, str(tmp_path), number) for number in range(4)]
        ]
    for rows in found[1:]:
        np.testing.assert_array_equal(rows, found[0])
    assert len(list(tmp_path.rglob("*.h5"))) == 1


def hold_the_lock(path: Path, held: Any) -> None:
    lock = FileLock(path)
    lock.acquire()
    held.set()
    time.sleep(60)


def test_a_lock_dies_with_its_holder(tmp_path: Path) -> None:
    store = EmbeddingStore(str(tmp_path))
    context = get_context("fork")
    path = store.path(request())
    held = context.Event()
    path.parent.mkdir()
    holder = context.Process(target=hold_the_lock, args=(path.with_suffix(".lock"), held))
    holder.start()
    assert held.wait(10) and holder.pid is not None
    os.kill(holder.pid, signal.SIGKILL)
    holder.join()
    np.testing.assert_array_equal(store.load(request(), Counted())[:], ROWS)


@pytest.fixture
def image(tmp_path: Path) -> Path:
    return write_pyramid(tmp_path / "a.tif", [picture(340, 340)])


def test_embeddings_of_a_section(tmp_path: Path, image: Path) -> None:
    spots = section(image=image)
    store = EmbeddingStore(str(tmp_path / "store"))
    encoder = MeanColour([40.0, 100.0])
    found = embed_section(spots, encoder, store)[:]
    assert found.shape == (25, 6) and encoder.calls == 2
    pixels = picture(340, 340)
    for spot, (x, y) in enumerate(spots.pos_px.astype(int)):
        expected = pixels[y - 10 : y + 10, x - 10 : x + 10].reshape(-1, 3).mean(axis=0)
        np.testing.assert_allclose(found[spot, :3], expected, atol=3)
    np.testing.assert_array_equal(embed_section(spots, encoder, store)[:], found)
    assert encoder.calls == 2


@pytest.mark.parametrize(
    "change", ["encoder", "patch_px", "patch_um", "mpp", "positions", "image", "nothing"]
)
def test_whatever_made_the_numbers_is_in_the_key(tmp_path: Path, image: Path, change: str) -> None:
    store = EmbeddingStore(str(tmp_path / "store"))
    before = MeanColour()
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
    spots = section(image=image)
    store = EmbeddingStore(str(tmp_path / "store"))
    encoder = MeanColour()
    whole = embed_section(spots, encoder, store)[:]
    np.testing.assert_allclose(
        embed_section(spots.keep([3, 8, 20]), encoder, store)[:], whole[[3, 8, 20]]
    )


@pytest.mark.parametrize("corrected", [True, False])
def test_other_barcodes_at_the_same_places(tmp_path: Path, image: Path, corrected: bool) -> None:
    """Barcodes do not change what the image shows at a position."""
    spots = section(image=image)
    store = EmbeddingStore(str(tmp_path / "store"))
    encoder = MeanColour()
    before = embed_section(spots, encoder, store)[:]
    renamed = section(image=image)
    renamed.adata.obs_names = (
        spots.barcodes[::-1] if corrected else [f"x-{name}" for name in spots.barcodes]
    )
    np.testing.assert_array_equal(embed_section(renamed, encoder, store)[:], before)
