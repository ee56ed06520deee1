"""HDF5 files that would bring in bytes of other files are refused, wherever they are read."""

from collections.abc import Callable
from pathlib import Path

import anndata as ad
import h5py
import numpy as np
import pytest

from hespotex.common.errors import InputError
from hespotex.common.hdf5 import HEAP, LOOKED_AT_IN_PARTS, open_hdf5, read_anndata
from hespotex.common.store_check import why_damaged
from hespotex.embeddings.rows import StoredRows
from hespotex.embeddings.store_files import DAMAGED, stored_files, why_unusable
from hespotex.results.html.calibration import calibration
from hespotex.sections.readers.common import read_h5ad
from hespotex.sections.readers.hest.benchmark import patches_mpp
from hespotex.sections.readers.spaceranger.matrix import read_matrix

SECRET = "secret.h5"


def external_link(group: h5py.Group, name: str) -> None:
    group[name] = h5py.ExternalLink(SECRET, "/data")


def link_to_a_group(group: h5py.Group, name: str) -> None:
    group[name] = h5py.ExternalLink(SECRET, "/")


def soft_link_through_one(group: h5py.Group, name: str) -> None:
    group["aside"] = h5py.ExternalLink(SECRET, "/")
    group[name] = h5py.SoftLink(f"{group.name}/aside/data".replace("//", "/"))


def external_storage(group: h5py.Group, name: str) -> None:
    group.create_dataset(name, (4, 4), "u1", external=[("secret.bin", 0, 16)])


def virtual(group: h5py.Group, name: str) -> None:
    layout = h5py.VirtualLayout((4, 4), "u1")
    layout[:] = h5py.VirtualSource(SECRET, "data", (4, 4))
    group.create_virtual_dataset(name, layout)


def soft_link_to_virtual(group: h5py.Group, name: str) -> None:
    virtual(group, "aside")
    group[name] = h5py.SoftLink(f"{group.name}/aside".replace("//", "/"))


def hard_link_to_virtual(group: h5py.Group, name: str) -> None:
    virtual(group, "aside")
    group[name] = group["aside"]


def with_a_circle(group: h5py.Group, name: str) -> None:
    group["round"] = group
    external_link(group.create_group("deep/er"), name)


FOREIGN = [external_link, link_to_a_group, soft_link_through_one, external_storage, virtual]
FOREIGN += [soft_link_to_virtual, hard_link_to_virtual, with_a_circle]
Foreign = Callable[[h5py.Group, str], None]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with h5py.File(tmp_path / SECRET, "w") as file:
        file["data"] = np.ones((4, 4), np.uint8)
    return tmp_path


@pytest.mark.parametrize("place", ["/", "a", "a/b/c"])
@pytest.mark.parametrize("foreign", FOREIGN)
def test_refused(folder: Path, foreign: Foreign, place: str) -> None:
    with h5py.File(folder / "a.h5", "w") as file:
        file["fine"] = np.ones(3)
        foreign(file.require_group(place), "x")
    with pytest.raises(
        InputError, match=r"a.h5: /.* is .*: it would bring in bytes of other files"
    ):
        open_hdf5(folder / "a.h5")
    with h5py.File(folder / "a.h5", "a"):  # it was closed
        pass


@pytest.mark.parametrize("foreign", FOREIGN)
def test_refused_by_every_reader(folder: Path, foreign: Foreign) -> None:
    path = folder / "S1" / "a-1.h5"
    path.parent.mkdir()
    with h5py.File(path, "w") as file:
        foreign(file, "img")
        foreign(file.require_group("matrix"), "data")
    readers: list[Callable[[], object]] = [
        lambda: read_h5ad(path),
        lambda: read_anndata(path),
        lambda: patches_mpp(path),
        lambda: read_matrix(path),
        lambda: StoredRows(path, []),
        lambda: why_damaged(path),
    ]
    for read in readers:
        with pytest.raises(InputError, match="bytes of other files"):
            read()
    (listed,) = stored_files(folder)
    assert listed.patch == DAMAGED and listed.shape == (0, 0)  # named, and nothing read of it
    assert why_unusable(listed) == DAMAGED
    (folder / "predictions").mkdir()
    (folder / "predictions" / "S1_predicted.h5ad").write_bytes(path.read_bytes())
    assert calibration(folder, "S1") is None


def test_what_is_its_own_is_read(folder: Path) -> None:
    table = ad.AnnData(np.ones((3, 2), np.float32))
    table.obsm["spatial"] = np.ones((3, 2))
    table.write_h5ad(folder / "a.h5ad")
    assert read_h5ad(folder / "a.h5ad").shape == (3, 2)
    with h5py.File(folder / "a.h5ad", "a") as file:
        file["soft"] = h5py.SoftLink("/X")
        file["dangling"] = h5py.SoftLink("/nothing")
        file["again"] = file["obsm"]
        file["type"] = np.dtype("f8")
        file["reference"] = file["X"].ref
    with open_hdf5(folder / "a.h5ad") as file:
        assert file["soft"].shape == (3, 2)


@pytest.mark.parametrize("content", [b"", b"no HDF5", b"\x89HDF\r\n\x1a\n" + b"\0" * 100])
def test_no_hdf5(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.h5").write_bytes(content)
    with pytest.raises(OSError):
        open_hdf5(tmp_path / "a.h5")


def test_words_that_would_be_walked_for_ever(folder: Path) -> None:
    """The library hangs in C where nobody can stop it; so this is not tried on it."""
    path = folder / "words.h5ad"
    with h5py.File(path, "w") as file:
        file.attrs["encoding"] = "anndata"
        file.create_dataset("words", data=["one", "two"], dtype=h5py.string_dtype())
    open_hdf5(path).close()
    content = bytearray(path.read_bytes())
    heap = content.index(HEAP)
    for place in (heap + 16, content.index(b"two") - 16):
        broken = content.copy()
        broken[place : place + 16] = bytes(16)
        path.write_bytes(broken)
        with pytest.raises(OSError, match="damaged"):
            open_hdf5(path)
    path.write_bytes(content)
    open_hdf5(path).close()


@pytest.mark.parametrize("where", ["first", "last"])
def test_the_ends_of_a_large_file(folder: Path, where: str) -> None:
    """Words before and behind a table that is larger than what is looked at."""
    path = folder / "table.h5"
    with h5py.File(path, "w") as file:
        if where == "first":
            file.create_dataset("words", data=["one", "two"], dtype=h5py.string_dtype())
        file.create_dataset("table", data=np.ones((3, LOOKED_AT_IN_PARTS)))
        if where == "last":
            file.create_dataset("words", data=["one", "two"], dtype=h5py.string_dtype())
    content = bytearray(path.read_bytes())
    open_hdf5(path, in_parts=True).close()
    place = content.index(HEAP) + 16
    assert (place > LOOKED_AT_IN_PARTS) == (where == "last")
    content[place : place + 16] = bytes(16)
    path.write_bytes(content)
    for in_parts in (True, False):
        with pytest.raises(OSError, match=f"byte {place - 16} is broken"):
            open_hdf5(path, in_parts=in_parts)
