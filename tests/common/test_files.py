"""Files are whole or absent; fingerprints tell contents apart."""

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from hespotex.common.files import (
    CHUNK,
    N_CHUNKS,
    atomic_path,
    digest,
    file_fingerprint,
    remove_dead_parts,
    safe_name,
    safe_names,
    write_json,
)


def test_atomic_path_renames_on_success(tmp_path: Path) -> None:
    target = tmp_path / "new" / "folder" / "a.txt"
    with atomic_path(target) as part:
        assert part.parent == target.parent and part.suffix == ".txt" and not target.exists()
        part.write_text("whole")
    assert target.read_text() == "whole" and list(target.parent.iterdir()) == [target]


@pytest.mark.parametrize("before", [None, "old"])
def test_atomic_path_leaves_nothing_on_error(tmp_path: Path, before: str | None) -> None:
    target = tmp_path / "a.txt"
    if before:
        target.write_text(before)
    with pytest.raises(KeyboardInterrupt), atomic_path(target) as part:
        part.write_text("half")
        raise KeyboardInterrupt
    assert [path.read_text() for path in tmp_path.iterdir()] == ([before] if before else [])


@pytest.mark.parametrize("fails", [False, True])
def test_a_folder_takes_the_place_of_the_old_one_whole_or_not_at_all(
    tmp_path: Path, fails: bool
) -> None:
    target = tmp_path / "a.zarr"
    target.mkdir()
    (target / "old").touch()
    with contextlib.suppress(KeyboardInterrupt), atomic_path(target) as part:
        part.mkdir()
        (part / "new").touch()
        if fails:
            raise KeyboardInterrupt
    assert [path.name for path in tmp_path.iterdir()] == ["a.zarr"]
    assert [path.name for path in target.iterdir()] == (["old"] if fails else ["new"])


DEAD = subprocess.run(
    [sys.executable, "-c", "import os; print(os.getpid())"],
    capture_output=True,
    text=True,
    check=True,
)
PID = DEAD.stdout.strip()  # of a process that has ended


@pytest.mark.parametrize("target", ["a.h5ad", "a.ome.tif", "last.ckpt", "bundle", "a.zarr"])
def test_what_killed_processes_left_goes_with_the_next_write(tmp_path: Path, target: str) -> None:
    stem = Path(target).stem
    suffix = Path(target).suffix
    dead = [f".{stem}.{pid}.part{suffix}" for pid in (PID, os.getpid())]
    others = [
        f".{stem}.{os.getppid()}.part{suffix}",
        f".{stem}.1-elsewhere.part{suffix}",
        f".other.{PID}.part{suffix}",
    ]
    for name in (*dead, *others):
        (tmp_path / name).mkdir() if target in ("bundle", "a.zarr") else (tmp_path / name).touch()
    with atomic_path(tmp_path / target) as part:
        part.touch()
        with atomic_path(tmp_path / "another") as second:
            second.touch()
    assert {path.name for path in tmp_path.iterdir()} == {target, "another", *others}


def test_an_old_folder_comes_back_if_the_new_one_was_not_yet_in_place(tmp_path: Path) -> None:
    (tmp_path / f".bundle.{PID}.part").mkdir()
    (tmp_path / f".bundle.{PID}.part.old").mkdir()
    remove_dead_parts(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]


PLAIN = [
    "HLA-DRA.1_x+y",
    "P1 (left), 2.5x",
    "Müller",
    "a=b@c#1",
    "ENSG00000141510.17",
    "151507",
    "x" * 90,
]
UNSAFE = [
    "x/../../../0",
    "..",
    ".",
    "",
    " ",
    "a/b",
    "a\\b",
    "a\0b",
    "a\nb",
    ".hidden",
    "CON",
    "con.txt",
    "Lpt1",
]
UNSAFE += ["a:b", "a*", "?", "<script>", '"', "|", "end.", "end ", "x" * 300, "é" * 200, "~/x/../y"]
UNSAFE += ["\u202egnp.exe", "\udcff", "a\u2028b"]


def test_a_name_that_needs_no_change_stays() -> None:
    assert [safe_name(name) for name in PLAIN] == PLAIN


@pytest.mark.parametrize("name", UNSAFE)
@pytest.mark.parametrize("folder", ["", "a"])
def test_any_name_makes_one_file(tmp_path: Path, name: str, folder: str) -> None:
    file = tmp_path / folder / f"{safe_name(name)}_best_{safe_name(name)}.png"
    with atomic_path(file) as part:
        part.touch()
    (tmp_path / folder / "alone" / safe_name(name)).mkdir(parents=True)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [file]
    assert file.parent == tmp_path / folder
    assert not safe_name(name).startswith(".")


def test_two_names_never_become_one() -> None:
    names = [*PLAIN, *UNSAFE, "a_b", "_", "con_", "x" * 299, "x" * 89 + "y", "A_B"]
    assert len({safe_name(name) for name in names}) == len(names)
    for alike in (
        ["s1", "S1"],
        ["Mki67", "MKI67", "mki67"],
        ["e\u0301", "\u00e9"],
        ["\uff21", "a"],
    ):
        files = safe_names([*alike, "other"])
        assert len({file.casefold() for file in files.values()}) == len(files)
        assert files["other"] == "other"
    assert safe_names(["s1", "s1", "s2"]) == {"s1": "s1", "s2": "s2"}


def test_a_failed_write_keeps_the_old_json(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_json(path, {"b": 1, "a": [1.5, None]})
    with pytest.raises(TypeError):
        write_json(path, {"b": object()})
    assert json.loads(path.read_text()) == {"b": 1, "a": [1.5, None]} and list(
        tmp_path.iterdir()
    ) == [path]


def test_digest_is_the_same_in_every_process_and_order() -> None:
    value = {"b": [1, 2.5, "x"], "a": {"y": None, "x": True}}
    assert digest(value) == digest({"a": {"x": True, "y": None}, "b": [1, 2.5, "x"]})
    code = f"import sys; from hespotex.common.files import digest; print(digest({value!r}), end='')"
    assert subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout == digest(value)


def test_digest_tells_values_apart() -> None:
    values = [1, "1", [1], {"1": 1}, None, b"1", 1.5]
    # the bytes of 1 are its JSON
    assert len({digest(value) for value in values} - {digest("1")}) == len(values) - 2


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK + 7])
def test_fingerprint_sees_every_byte_of_a_small_file(tmp_path: Path, size: int) -> None:
    path = tmp_path / "a.bin"
    content = bytes(size)
    path.write_bytes(content)
    first = file_fingerprint(path)
    assert file_fingerprint(path) == first
    for place in {0, size // 2, size - 1} if size else set():
        path.write_bytes(content[:place] + b"\x01" + content[place + 1 :])
        assert file_fingerprint(path) != first
    path.write_bytes(content + b"\x00")
    assert file_fingerprint(path) != first


def test_fingerprint_of_a_large_file_sees_its_two_ends_and_its_size(tmp_path: Path) -> None:
    path = tmp_path / "large.bin"
    size = (N_CHUNKS + 40) * CHUNK + 5
    with path.open("wb") as file:
        file.truncate(size)  # sparse: takes no space
    seen = {file_fingerprint(path)}
    for place in (0, size - N_CHUNKS):  # the spacing is in whole bytes: it can end up to 62 short
        with path.open("r+b") as file:
            file.seek(place)
            file.write(b"\x01")
        seen.add(file_fingerprint(path))
    with path.open("r+b") as file:
        file.truncate(size + 1)
    assert len(seen | {file_fingerprint(path)}) == 4
