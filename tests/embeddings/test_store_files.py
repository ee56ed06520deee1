"""Listing and cleaning the store."""

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock
from numpy.typing import NDArray

from hespotex.embeddings.store import EmbeddingStore, Request
from hespotex.embeddings.store_files import remove, stored_files
from hespotex.sections.images.copies import copy_of
from hespotex.store import main

ROWS = np.ones((3, 4), dtype=np.float32)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two finished tables, one of them 10 days old, and what an interrupted run left of a third."""
    store = EmbeddingStore(str(tmp_path))
    patch = {"patch": {"um": 112.0, "px": 224}, "view": 4}
    store.load(Request("S1", "vit-b", patch, ["a", "b", "c"]), lambda _: [ROWS])
    old = Request("S2", "nuclei-qupath", {}, ["a", "b", "c"])
    store.load(old, lambda _: [ROWS[:, :1]])
    os.utime(store.path(old), (0, store.path(old).stat().st_mtime - 864_000))
    with pytest.raises(ValueError, match="stop"):
        store.load(Request("S2", "vit-b", patch, [str(i) for i in range(400)]), interrupted)
    return tmp_path


def interrupted(_: int) -> Iterator[NDArray[np.float32]]:
    yield np.ones((300, 4), dtype=np.float32)
    raise ValueError("stop")


def test_what_is_in_the_store(root: Path) -> None:
    found = [
        (e.section_id, e.name, e.patch, e.shape, e.finished, round(e.days))
        for e in stored_files(root)
    ]
    assert found == [
        ("S1", "vit-b", "112 um, 224 px, view 4", (3, 4), True, 0),
        ("S2", "nuclei-qupath", "", (3, 1), True, 10),
        ("S2", "vit-b", "", (0, 0), False, 0),
    ]


def test_copied_images_are_listed_checked_and_removed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those in a folder of all, of before, too; a copy that is being written is not."""
    pixels = np.zeros((3, 20, 30), dtype=np.uint8)
    image = copy_of(tmp_path / "S.zarr", tmp_path / "store" / "S1" / "image-he", [pixels])
    old = Path(shutil.copy(image, image.parents[1] / "images.tif"))
    old.parent.joinpath("images").mkdir()
    old = old.rename(old.parent / "images" / "S2_he.tif")
    (image.parent / ".image-he.1-machine.part.tif").touch()
    listed = [(e.section_id, e.name, e.shape) for e in stored_files(tmp_path / "store")]
    assert listed == [("S1", "image-he", (30, 20)), ("images", "S2_he", (30, 20))]
    caplog.set_level("INFO")
    words = ["store", "check", "--repair", "--root", str(tmp_path / "store")]
    old.write_bytes(image.read_bytes()[:100])
    monkeypatch.setattr(sys, "argv", words)
    main()
    assert "1 damaged" in caplog.text and not old.exists() and image.exists()
    monkeypatch.setattr(sys, "argv", [*words[:1], "clean", "--yes", *words[3:]])
    main()
    assert not image.exists()


def test_what_is_being_made_stays(root: Path) -> None:
    entry = next(stored_files(root))
    with FileLock(entry.path.with_suffix(".lock")):
        assert not remove(entry)
    assert entry.path.is_file() and remove(entry) and not entry.path.exists()


CASES = {
    "all": ([], 0),
    "section": (["--section", "S1"], 2),
    "encoder": (["--encoder", "vit-b"], 1),
    "older": (["--older", "5"], 2),
    "unfinished": (["--unfinished"], 2),
    "nothing": (["--section", "S9"], 3),
}


@pytest.mark.parametrize(("words", "left"), CASES.values(), ids=CASES)
def test_clean(root: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], left: int) -> None:
    monkeypatch.setattr(sys, "argv", ["store", "clean", "--root", str(root), *words])
    main()
    assert len(list(stored_files(root))) == 3  # not without --yes
    monkeypatch.setattr(sys, "argv", ["store", "clean", "--root", str(root), "--yes", *words])
    main()
    assert len(list(stored_files(root))) == left


def test_no_such_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sys, "argv", ["store", "list", "--root", str(tmp_path / "nowhere")])
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == 2 and "no store at" in caplog.text
