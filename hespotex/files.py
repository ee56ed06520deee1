"""Files that are whole or absent, and the fingerprints that tell them apart."""

import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

CHUNK = 1 << 20
N_CHUNKS = 64


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary name beside `path`, for a file or a folder that becomes `path` on success; nothing is left on failure.

    A folder takes the place of an older one.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.stem}.{os.getpid()}.part{path.suffix}")
    try:
        yield part
        if part.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        part.replace(path)
    finally:
        if part.is_dir():
            shutil.rmtree(part, ignore_errors=True)
        part.unlink(missing_ok=True)


def safe_name(text: str) -> str:
    """A gene's or slide's name as part of a file name: what is not a letter, digit, or one of `_ . + -` becomes `_`."""
    return re.sub(r"[^\w.+-]", "_", text)


def write_json(path: Path, value: Any) -> None:
    """Write `value` as readable JSON, atomically."""
    with atomic_path(path) as part:
        part.write_text(json.dumps(value, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def digest(value: Any) -> str:
    """Short hash of a JSON-like value (or of bytes), the same in every process."""
    data = value if isinstance(value, bytes) else json.dumps(value, sort_keys=True).encode()
    return hashlib.blake2b(data, digest_size=8).hexdigest()


def file_fingerprint(path: Path) -> str:
    """Short hash of a file's size and of 64 evenly spaced megabytes: the whole file up to 64 MiB.

    Read once in a process, unless the file changes: every request to the store asks for that of its image.
    """
    facts = path.stat()
    return _fingerprint(path, facts.st_size, facts.st_mtime_ns)


@lru_cache(maxsize=1024)
def _fingerprint(path: Path, size: int, _modified: int) -> str:
    content = hashlib.blake2b(str(size).encode(), digest_size=8)
    last = max(size - CHUNK, 0)
    starts = range(0, size, CHUNK) if size <= N_CHUNKS * CHUNK else [last * i // (N_CHUNKS - 1) for i in range(N_CHUNKS)]
    with path.open("rb") as file:
        for start in starts:
            file.seek(start)
            content.update(file.read(CHUNK))
    return content.hexdigest()
