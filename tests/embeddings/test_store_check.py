"""Damaged tables and blocks of the store: named, made anew, listed and removed without a
traceback.
"""

import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import h5py
import numpy as np
import pytest
from numpy.typing import NDArray

from hespotex.common.store_check import why_damaged
from hespotex.embeddings.store import EmbeddingStore, Request
from hespotex.store import main

ROWS = np.random.default_rng(0).normal(size=(700, 8)).astype(np.float32)
ASKED = Request("S1", "vit", {"v": 1}, [f"spot{i}" for i in range(700)])


def compute(start: int) -> Iterator[NDArray[np.float32]]:
    for first in range(start, 700, 64):
        yield ROWS[first : first + 64]


def zero_rows(path: Path) -> None:
    content = bytearray(path.read_bytes())
    place = content.find(ROWS[300:310].astype(np.float16).tobytes())
    assert place > 0
    content[place : place + 160] = bytes(160)
    path.write_bytes(content)


def halve(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def rename_spots(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        file["barcode"][:2] = [b"spot1", b"spot0"]


def without_rows(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        del file["embedding"]


HARMS = [zero_rows, halve, empty, rename_spots, without_rows]


@pytest.mark.parametrize("harm", HARMS)
def test_a_damaged_table_is_made_anew(
    tmp_path: Path, harm: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    store = EmbeddingStore(str(tmp_path), "half")
    path = store.path(ASKED)
    wanted = store.load(ASKED, compute)[:]
    before = path.read_bytes()
    assert store.holds(ASKED) and why_damaged(path) is None
    harm(path)
    assert not store.holds(ASKED)
    np.testing.assert_array_equal(store.load(ASKED, compute)[:], wanted)
    assert path.read_bytes() == before
    assert f"{path} is damaged" in caplog.text and "made anew" in caplog.text


@pytest.mark.parametrize(
    "verb", [["list"], ["clean", "--yes"], ["check"], ["check", "--repair"]], ids=" ".join
)
def test_verbs_go_on_without_what_is_damaged(
    tmp_path: Path, verb: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    store = EmbeddingStore(str(tmp_path))
    for number, harm in enumerate(HARMS):
        asked = Request(f"S{number}", "vit", {"v": 1}, ASKED.barcodes)
        store.load(asked, compute)
        harm(store.path(asked))
    store.load(Request("sound", "vit", {}, ASKED.barcodes), compute)
    (tmp_path / "S1" / "torn.part").write_bytes(b"no folder")
    monkeypatch.setattr(sys, "argv", ["store", *verb, "--root", str(tmp_path)])
    if verb == ["check"]:
        with pytest.raises(SystemExit, match="1"):
            main()
    else:
        main()
    left = {path.parent.name for path in tmp_path.rglob("*.h5")}
    kept = {f"S{number}" for number in range(len(HARMS))} | {"sound"}
    assert (
        left
        == {"list": kept, "check": kept, "clean --yes": set(), "check --repair": {"sound"}}[
            " ".join(verb)
        ]
    )


@pytest.mark.parametrize(
    "harm", [halve, empty, lambda path: path.write_bytes(bytes(path.stat().st_size)), Path.unlink]
)
@pytest.mark.parametrize("block", [0, 256])
def test_a_damaged_block_costs_its_rows_only(
    tmp_path: Path, harm: Callable[[Path], None], block: int
) -> None:
    def killed(start: int) -> Iterator[NDArray[np.float32]]:
        yield from list(compute(start))[:8]
        raise KeyboardInterrupt

    store = EmbeddingStore(str(tmp_path))
    starts = []
    with pytest.raises(KeyboardInterrupt):
        store.load(ASKED, killed)
    harm(store.path(ASKED).with_suffix(".part") / f"{block:09d}.npy")

    def noted(start: int) -> Iterator[NDArray[np.float32]]:
        starts.append(start)
        return compute(start)

    np.testing.assert_array_equal(store.load(ASKED, noted)[:], ROWS.astype(np.float16))
    assert starts == [block]


def test_blocks_of_a_run_killed_at_the_very_end_go(tmp_path: Path) -> None:
    store = EmbeddingStore(str(tmp_path))
    store.load(ASKED, compute)
    left = store.path(ASKED).with_suffix(".part")
    left.mkdir()
    shutil.copy(store.path(ASKED), left / "whole.h5")
    store.load(ASKED, compute)
    assert not left.exists()
