"""What lies in the store: to list it and to clean it."""

import json
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from hespotex.common.errors import InputError
from hespotex.common.hdf5 import open_hdf5
from hespotex.common.store_check import why_damaged
from hespotex.sections.images import open_image

COPY = ".tif"  # of an image that lies in another kind of store
DAMAGED = "damaged"  # in place of the patch
DAY = 86_400.0  # seconds


@dataclass(frozen=True)
class StoredFile:
    """One table of the store, or the copy of an image, whose shape is its width and height.
    `patch`: its geometry, such as "112 um, 224 px"; empty for what has none.

    An unfinished one is the folder of blocks that an interrupted run left.
    """

    path: Path
    section_id: str
    name: str
    patch: str
    shape: tuple[int, int]
    n_bytes: int
    days: float  # since it was written
    finished: bool


def stored_files(root: Path) -> Iterator[StoredFile]:
    """All tables and copied images below a store's folder, by section and name."""
    copies = [path for path in root.glob(f"*/*{COPY}") if not path.name.startswith(".")]
    for path in sorted([*root.glob("*/*.h5"), *root.glob("*/*.part"), *copies]):
        yield _finished(path) if path.is_file() else _unfinished(path)


def _finished(path: Path) -> StoredFile:
    try:
        shape, patch = _content(path)
    except Exception:  # damaged HDF5 raises many kinds; it is listed, and can be removed
        shape = (0, 0)
        patch = DAMAGED
    stat = path.stat()
    return StoredFile(
        path, path.parent.name, _name(path), patch, shape, stat.st_size, _days(stat.st_mtime), True
    )


def _content(path: Path) -> tuple[tuple[int, int], str]:
    """Shape, and the patch in words."""
    if path.suffix == COPY:
        return open_image(path).size, ""
    with open_hdf5(path) as file:
        identity = json.loads(file.attrs.get("identity", "{}"))
        shape = file.attrs["shape"] if "values" in file else file["embedding"].shape
    patch = identity.get("patch", {})
    view = identity.get("view", 0)
    text = (
        f"{patch['um']:g} um, {patch['px']} px" + (f", view {view}" if view else "")
        if patch
        else ""
    )
    return (int(shape[0]), int(shape[1])), text


def why_unusable(entry: StoredFile) -> str | None:
    """What is wrong with a finished table, in a few words; None of a sound one."""
    if not entry.finished:
        return None
    try:
        whole = entry.patch != DAMAGED and entry.path.suffix == COPY
        return None if whole else DAMAGED if entry.patch == DAMAGED else why_damaged(entry.path)
    except InputError as error:
        return str(error)


def _unfinished(path: Path) -> StoredFile:
    n_bytes = sum(file.stat().st_size for file in path.rglob("*"))
    return StoredFile(
        path, path.parent.name, _name(path), "", (0, 0), n_bytes, _days(path.stat().st_mtime), False
    )


def _name(path: Path) -> str:
    return path.stem.rpartition("-")[0] or path.stem


def _days(modified: float) -> float:
    return (time.time() - modified) / DAY


def remove(entry: StoredFile) -> bool:
    """Take one table out of the store; False, and nothing done, while a process is making it."""
    try:
        with FileLock(entry.path.with_suffix(".lock"), timeout=0):
            if entry.finished:
                entry.path.unlink(missing_ok=True)
            else:
                shutil.rmtree(entry.path, ignore_errors=True)
    except Timeout:
        return False
    return True
