"""`files.json`: size and hash of each file that a run or a bundle has left, so that a torn or
changed one is noticed.

Not in it: `last.ckpt`, which is checked by the checksums inside it, and a run's predictions, which
may be removed to save space; the audit scores them again and compares.
"""

import hashlib
import logging
from collections.abc import Iterable, Mapping
from pathlib import Path

from hespotex.common.errors import InputError
from hespotex.common.files import read_json, write_json
from hespotex.common.shapes import COUNT, check_shape

log = logging.getLogger(__name__)
MANIFEST = "files.json"
ENTRY = {"bytes": COUNT, "sha256": str}


def write_manifest(
    folder: Path, names: Iterable[str], coming: Mapping[str, bytes] | None = None
) -> None:
    """Write `files.json`.

    Args:
        folder: where the files are.
        names: files that are there, relative to it.
        coming: content of those that will be written next.
    """
    entries = {name: _entry(folder / name) for name in names}
    for name, content in (coming or {}).items():
        entries[name] = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    write_json(folder / MANIFEST, entries)


def check_files(folder: Path, *names: str) -> bool:
    """Whether `files.json` vouches for these files, or without names for all; False where there is
    none, as in older runs.

    Raises:
        InputError: a file is missing or not as it was written.
    """
    if not (folder / MANIFEST).is_file():
        log.debug(
            "%s: of an older version, without %s: its files are not checked", folder, MANIFEST
        )
        return False
    entries = read_json(folder / MANIFEST)
    for name in names or entries:
        if name in entries:
            check_shape(entries[name], ENTRY, f"{folder / MANIFEST}: {name}")
            _check(folder, name, entries[name])
    return True


def _check(folder: Path, name: str, expected: dict[str, int | str]) -> None:
    path = folder / name
    if not path.is_file():
        raise InputError(
            f"{path}: missing, though {folder / MANIFEST} lists it; {_way_out(folder)}"
        )
    entry = _entry(path)
    if entry != expected:
        sizes = f"{expected['bytes']:,} bytes were written, {entry['bytes']:,} are there"
        same = "as many bytes, but others" if entry["bytes"] == expected["bytes"] else sizes
        raise InputError(
            f"{path}: not as it was written ({same}): torn or changed; {_way_out(folder)}"
        )


def _way_out(folder: Path) -> str:
    return (
        "copy it again from where it was made, or make it again with restart=true "
        f"(if you changed it yourself: remove {folder / MANIFEST})"
    )


def _entry(path: Path) -> dict[str, int | str]:
    with path.open("rb") as file:
        return {
            "bytes": path.stat().st_size,
            "sha256": hashlib.file_digest(file, "sha256").hexdigest(),
        }
