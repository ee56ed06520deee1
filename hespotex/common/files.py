"""Files that are whole or absent, and the fingerprints that tell them apart."""

import hashlib
import json
import os
import platform
import re
import shutil
import time
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

from hespotex.common.errors import InputError, full_cause

CHUNK = 1 << 20
QUICK = 1  # of zlib: two fifths of the time and 6 % more bytes for figures, 80 % and 3 % for tables
N_CHUNKS = 64
# bytes of a name; two of them, a suffix and the mark of a part fit into the 255 of a file's name
LONGEST = 90
RESERVED = {
    "con",
    "prn",
    "aux",
    "nul",
    *(f"{port}{n}" for port in ("com", "lpt") for n in range(10)),
}
A_DAY = 86_400.0  # seconds after which a part from another machine is taken for dead
PART = re.compile(
    r"\.(?P<stem>.+)\.(?P<pid>\d+)(-(?P<machine>\w+))?\.part(?P<old>\.old)?(?P<suffix>(\.[^.]+)?)"
)
_AT_WORK: set[str] = set()  # parts that this process is writing


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary name beside `path`, for a file or a folder that becomes `path` on success;
    nothing is left on failure.

    A folder takes the place of an older one. What killed processes have left of earlier tries is
    removed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    remove_dead_parts(path.parent, path)
    partial = _beside(path, "part")
    _AT_WORK.add(partial.name)
    try:
        yield partial
        _put_in_place(partial, path)
    finally:
        _remove(partial)
        _AT_WORK.discard(partial.name)


def _beside(path: Path, role: str) -> Path:
    """A name that tells whose it is: process and machine."""
    return path.with_name(f".{path.stem}.{os.getpid()}-{_machine()}.{role}{path.suffix}")


def _put_in_place(partial: Path, path: Path) -> None:
    """Rename; an older folder steps aside first, so that there is never half of one under the
    name.
    """
    if not (partial.is_dir() and path.is_dir()):
        partial.replace(path)
        return
    old = _beside(path, "part.old")
    path.replace(old)
    partial.replace(path)
    shutil.rmtree(old, ignore_errors=True)


def remove_dead_parts(folder: Path, path: Path | None = None) -> None:
    """Remove what processes that are no more left half-written in a folder.

    Args:
        folder: looked through, less its subfolders.
        path: the only file or folder whose parts are meant; None means all.
    """
    for entry in os.scandir(folder):
        match = PART.fullmatch(entry.name)
        if match and path and (match["stem"], match["suffix"]) != (path.stem, path.suffix):
            continue
        if match and entry.name not in _AT_WORK and _is_dead(match, Path(entry.path)):
            target = folder / f"{match['stem']}{match['suffix']}"
            if match["old"] and not target.exists():  # killed before the new one was in place
                Path(entry.path).replace(target)
            _remove(Path(entry.path))


def _is_dead(match: re.Match[str], partial: Path) -> bool:
    if match["machine"] not in (None, _machine()):
        with suppress(FileNotFoundError):
            return time.time() - partial.stat().st_mtime > A_DAY
        return False
    try:
        os.kill(int(match["pid"]), 0)
    except (ProcessLookupError, OverflowError):
        return True
    except PermissionError:  # somebody else's process
        return False
    # an earlier process of the same number: ours are in _AT_WORK
    return int(match["pid"]) == os.getpid()


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


@lru_cache(maxsize=1)
def _machine() -> str:
    return hashlib.blake2b(platform.node().encode(), digest_size=3).hexdigest()


def safe_name(text: str, always: bool = False) -> str:
    """The name of a section, slide, gene, encoder and so on as (part of) one file's or folder's
    name, on any system.

    A name that needs no change stays as it is. Else what stands for folders, patterns or nothing
    visible becomes `_`, a long name is cut, and a hash of the whole name is appended: two names
    never become one.

    Args:
        always: append the hash in any case.
    """
    safe = "".join("_" if _is_unsafe(letter) else letter for letter in text)
    safe = re.sub(r"^[. ]|[. ]$", "_", safe) or "_"
    if len(safe.encode()) > LONGEST:
        safe = safe.encode()[:LONGEST].decode(errors="ignore")
    if safe == text and not always and text.partition(".")[0].strip().lower() not in RESERVED:
        return text
    content = text.encode(errors="surrogatepass")
    return f"{safe}-{hashlib.blake2b(content, digest_size=4).hexdigest()}"


def _is_unsafe(letter: str) -> bool:
    """Separators, Windows' and the shell's patterns, and what cannot be seen (controls, lone
    surrogates).
    """
    return letter in '/\\:*?"<>|' or unicodedata.category(letter) in ("Cc", "Cf", "Cs", "Zl", "Zp")


def safe_names(names: Iterable[str]) -> dict[str, str]:
    """Of names whose files share a folder: the hash also where two differ in case or in accents'
    encoding only.
    """
    names = list(dict.fromkeys(names))
    alike = Counter(_folded(name) for name in names)
    return {name: safe_name(name, always=alike[_folded(name)] > 1) for name in names}


def _folded(name: str) -> str:
    return unicodedata.normalize("NFKC", name).casefold()


def json_text(value: Any) -> str:
    """`value` as readable JSON."""
    return json.dumps(value, indent=2, sort_keys=True) + "\n"


def write_json(path: Path, value: Any) -> None:
    """Write `value` as readable JSON, atomically."""
    with atomic_path(path) as partial:
        partial.write_text(json_text(value), encoding="utf-8")


def read_json(path: Path, way_out: str = "") -> dict[str, Any]:
    """The mapping that a JSON file holds.

    Args:
        way_out: what the user can do about a file that cannot be read; ends the message.

    Raises:
        InputError: it cannot be read, is no JSON, or holds something else.
    """
    ending = f"; {way_out}" if way_out else ""
    try:
        content = json.loads(path.read_bytes().decode("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: cannot be read ({full_cause(error)}){ending}") from error
    if not isinstance(content, dict):
        raise InputError(f"{path}: expected a JSON object, found {type(content).__name__}{ending}")
    return content


def visible(folder: Path, pattern: str) -> list[Path]:
    """What matches a pattern below a folder, sorted, less hidden things: `.NAME.PID.part` is half
    of a file.
    """
    matches = folder.glob(pattern)
    return sorted(
        p for p in matches if not any(name.startswith(".") for name in p.relative_to(folder).parts)
    )


def digest(value: Any) -> str:
    """Short hash of a JSON-like value (or of bytes), the same in every process."""
    data = value if isinstance(value, bytes) else json.dumps(value, sort_keys=True).encode()
    return hashlib.blake2b(data, digest_size=8).hexdigest()


def file_fingerprint(path: Path) -> str:
    """Short hash of a file's size and of 64 evenly spaced megabytes: the whole file up to 64 MiB.

    Read once in a process, unless the file changes: every request to the store asks for that of its
    image.
    """
    facts = path.stat()
    return _fingerprint(path, facts.st_size, facts.st_mtime_ns)


@lru_cache(maxsize=65_536)  # files of a data set are asked for in turn: fewer would not help
def _fingerprint(path: Path, size: int, _modified: int) -> str:
    content = hashlib.blake2b(str(size).encode(), digest_size=8)
    last = max(size - CHUNK, 0)
    starts = (
        range(0, size, CHUNK)
        if size <= N_CHUNKS * CHUNK
        else [last * i // (N_CHUNKS - 1) for i in range(N_CHUNKS)]
    )
    with path.open("rb") as file:
        for start in starts:
            file.seek(start)
            content.update(file.read(CHUNK))
    return content.hexdigest()
