"""HDF5 files whose bytes are all their own: a file from elsewhere must not pass others off as
counts.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import h5py

from hespotex.errors import InputError

if TYPE_CHECKING:
    import anndata as ad

CURE = "it would bring in bytes of other files; write it anew with the data inside"


def open_hdf5(path: Path) -> h5py.File:
    """The file, open for reading.

    Raises:
        InputError: something in it lies in another file.
        OSError: it is no HDF5 file, or damaged.
    """
    file = h5py.File(path, "r")
    try:
        for where, what in _foreign(file):
            raise InputError(f"{path}: {where} is {what}: {CURE}")
    except InputError:
        file.close()
        raise
    except Exception as error:  # a damaged group raises many kinds
        file.close()
        raise OSError(f"damaged ({type(error).__name__}: {error})") from error
    return file


def read_anndata(path: Path) -> "ad.AnnData":
    """An AnnData file, after the same look.

    Raises:
        InputError: something in it lies in another file.
    """
    import anndata as ad

    open_hdf5(path).close()
    return ad.read_h5ad(path)


def _foreign(file: h5py.File) -> Iterator[tuple[str, str]]:
    """Place and kind of everything that lies outside the file."""
    waiting: list[tuple[str, h5py.Group]] = [("", file)]
    seen: set[int] = set()  # a group may hold itself
    while waiting:
        place, group = waiting.pop()
        address = h5py.h5o.get_info(group.id).addr
        if address in seen:
            continue
        seen.add(address)
        for name in group:
            where = f"{place}/{name}"
            if (what := _link(group, name)) is not None:
                yield where, what
            elif isinstance(group.get(name, getlink=True), h5py.HardLink):
                child = group[name]
                if isinstance(child, h5py.Group):
                    waiting.append((where, child))
                elif isinstance(child, h5py.Dataset) and (what := _storage(child)) is not None:
                    yield where, what


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
