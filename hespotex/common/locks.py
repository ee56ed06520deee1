"""One process at a time where a folder is made."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from hespotex.common.errors import InputError


@contextmanager
def alone_in(folder: Path, way_out: str, beside: bool = False) -> Iterator[None]:
    """Hold a folder against other processes; the operating system frees it when its holder dies.

    Args:
        way_out: what else can be done; ends the message.
        beside: the lock lies beside the folder, which is yet to be made.

    Raises:
        InputError: another process holds it.
    """
    path = folder.with_name(f".{folder.name}.lock") if beside else folder / ".lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise InputError(
            f"{folder}: another process is at work there; wait for it, or {way_out}"
        ) from None
    try:
        yield
    finally:
        lock.release()
