"""HDF5 files whose bytes are all their own: a file from elsewhere must not pass others off as
counts.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from struct import Struct
from typing import TYPE_CHECKING

import h5py

from hespotex.common.errors import InputError
from hespotex.common.files import atomic_path

if TYPE_CHECKING:
    import anndata as ad
    import pandas as pd

CURE = "it would bring in bytes of other files; write it anew with the data inside"
# a collection of words, as the HDF5 file format writes it ("global heap", version 1)
HEAP = b"GCOL\x01\0\0\0"
HEAP_AT = 8  # bytes; collections begin at multiples of it
HEAP_HEAD = 16  # bytes of a collection's and of an object's header
LENGTH = Struct("<Q")
OBJECT = Struct("<H6xQ")  # number, size of an object
# bytes at each end of a file in which collections are looked for
LOOKED_AT = 2**28
LOOKED_AT_IN_PARTS = 2**20


def open_hdf5(path: Path, in_parts: bool = False) -> h5py.File:
    """The file, open for reading.

    Args:
        in_parts: it holds patches or embeddings, of which few are read at a time: it is not gone
          through for broken words, but for its ends.

    Raises:
        InputError: something in it lies in another file.
        OSError: it is no HDF5 file, or damaged.
    """
    file = h5py.File(path, "r")
    stat = path.stat()
    try:
        looked_at = LOOKED_AT_IN_PARTS if in_parts else LOOKED_AT
        check_heaps(path, stat.st_size, stat.st_mtime_ns, looked_at)
        for where, kind in _foreign(file):
            raise InputError(f"{path}: {where} is {kind}: {CURE}")
    except (InputError, OSError):
        file.close()
        raise
    except Exception as error:  # a damaged group raises many kinds
        file.close()
        raise OSError(f"damaged ({type(error).__name__}: {error})") from error
    return file


@contextmanager
def new_hdf5(path: Path) -> Iterator[h5py.File]:
    """A file to be filled, which becomes `path` when it is whole."""
    with atomic_path(path) as partial, h5py.File(partial, "w") as file:
        yield file


def replace_genes(path: Path, var: "pd.DataFrame") -> None:
    """Put another table of genes into an AnnData file, atomically; all else in it stays.

    Args:
        path: the file.
        var: its genes, in its order.
    """
    import anndata as ad

    with atomic_path(path) as partial:
        shutil.copyfile(path, partial)
        with h5py.File(partial, "r+") as file:
            del file["var"]
            ad.io.write_elem(file, "var", var)


def read_anndata(path: Path) -> "ad.AnnData":
    """An AnnData file, after the same look.

    Raises:
        InputError: something in it lies in another file.
    """
    import anndata as ad

    open_hdf5(path).close()
    return ad.read_h5ad(path)


@lru_cache(maxsize=65_536)
def check_heaps(path: Path, size: int, changed: int, looked_at: int) -> None:  # noqa: ARG001
    """Refuse a file whose words lie in a collection that the HDF5 library would walk for ever.

    The library (as of 1.14) takes the size of free space as it stands in the file; where that is 0,
    as in a file that was not written to its end, it never gets past it.

    Args:
        size: bytes of the file.
        changed: when it was changed: a key of the cache, so that a file is looked through once.
        looked_at: bytes at each end in which collections are looked for.

    Raises:
        OSError: there is such a collection.
    """
    last = max(0, size - looked_at) // HEAP_AT * HEAP_AT
    for begin in sorted({0, last}):
        with path.open("rb") as file:
            file.seek(begin)
            content = file.read(looked_at + HEAP_AT)
        if (place := _endless(content)) is not None:
            raise OSError(f"damaged (a collection of words at byte {begin + place} is broken)")


def _endless(content: bytes) -> int | None:
    """Where the first endless collection begins, if there is one."""
    start = content.find(HEAP)
    while start >= 0:
        if start % HEAP_AT == 0 and _is_endless(content, start):
            return start
        start = content.find(HEAP, start + 1)
    return None


def _is_endless(content: bytes, start: int) -> bool:
    """Whether free space of no size lies in the collection that begins at `start`."""
    if start + HEAP_HEAD > len(content):
        return False
    (length,) = LENGTH.unpack_from(content, start + 8)
    end = min(start + length, len(content))
    place = start + HEAP_HEAD
    while place + HEAP_HEAD <= end:
        index, size = OBJECT.unpack_from(content, place)
        if index == 0:
            return bool(size == 0)
        place += HEAP_HEAD + (size + 7) // 8 * 8
    return False


def _foreign(file: h5py.File) -> Iterator[tuple[str, str]]:
    """Place and kind of everything that lies outside the file."""
    waiting: list[tuple[str, h5py.Group]] = [("", file)]
    visited: set[int] = set()  # a group may hold itself
    while waiting:
        place, group = waiting.pop()
        address = h5py.h5o.get_info(group.id).addr
        if address in visited:
            continue
        visited.add(address)
        for name in group:
            where = f"{place}/{name}"
            if (kind := _link(group, name)) is not None:
                yield where, kind
            elif isinstance(group.get(name, getlink=True), h5py.HardLink):
                child = group[name]
                if isinstance(child, h5py.Group):
                    waiting.append((where, child))
                elif isinstance(child, h5py.Dataset) and (kind := _storage(child)) is not None:
                    yield where, kind


def _link(group: h5py.Group, name: str) -> str | None:
    """A link that leaves the file; a soft link only names a place in it."""
    try:
        link = group.get(name, getlink=True)
    except TypeError:  # a kind that a program has made up
        return "a link of an unknown kind"
    return f"an external link to {link.filename}" if isinstance(link, h5py.ExternalLink) else None


def _storage(data: h5py.Dataset) -> str | None:
    """Where the values of a data set lie, if not in the file."""
    if data.is_virtual:
        return "a virtual data set"
    if data.external:
        return f"stored in {data.external[0][0]}"
    return None
