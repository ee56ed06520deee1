"""Sparse counts whose parts do not fit together are refused by every reader, before SciPy follows
them.
"""

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anndata as ad
import h5py
import numpy as np
import pytest
from builders import write_hest
from builders.visium import as_adata, truth, write_flat, write_visium
from scipy import sparse
from scipy.io import mmwrite

from hespotex.common.errors import InputError
from hespotex.sections.readers.checks.counts import checked_csr
from hespotex.sections.readers.h5ad import H5adReader
from hespotex.sections.readers.hest.benchmark import HestBenchmarkReader
from hespotex.sections.readers.hest.folder import HestReader
from hespotex.sections.readers.spaceranger.matrix_market import read_matrix_market
from hespotex.sections.readers.spaceranger.visium import VisiumReader
from hespotex.sections.section import Section

Group = Any  # h5py.Group


def put(group: Group, name: str, values: Any) -> None:
    del group[name]
    group[name] = values


def at(name: str, place: int, value: int) -> Callable[[Group], None]:
    def change(group: Group) -> None:
        values = group[name][:]
        values[place] = value
        put(group, name, values)

    change.__name__ = f"{name}[{place}]={value}"
    return change


def twice(group: Group) -> None:
    values = group["indices"][:]
    values[1] = values[0]
    put(group, "indices", values)


def shorter(group: Group) -> None:
    put(group, "data", group["data"][:-3])


def longer(group: Group) -> None:
    """Values beyond the end of the last row."""
    for name in ("data", "indices"):
        put(group, name, np.r_[group[name][:], group[name][:2]])


def fewer_rows(group: Group) -> None:
    put(group, "indptr", np.delete(group["indptr"][:], 3))


def fractions(group: Group) -> None:
    put(group, "indices", group["indices"][:] + 0.5)


DAMAGES = [
    at("indices", 2, 10**6),
    at("indices", 2, -5),
    at("indptr", 3, 10**6),
    at("indptr", 4, 0),
    at("indptr", 0, 1),
    at("indptr", -1, 2),
    twice,
    shorter,
    longer,
    fewer_rows,
    fractions,
]


def read_flat(root: Path, damage: Callable[[Group], None]) -> Section:
    with h5py.File(write_flat(root, "A"), "r+") as file:
        damage(file["X"])
    return H5adReader(str(root), mpp=2.0).read("A")


def read_layer(root: Path, damage: Callable[[Group], None]) -> Section:
    table = as_adata(truth())
    table.layers["n"] = table.X.copy()
    with h5py.File(write_flat(root, "A", table=table), "r+") as file:
        damage(file["layers/n"])
    return H5adReader(str(root), mpp=2.0, layer="n").read("A")


def read_columns(root: Path, damage: Callable[[Group], None]) -> Section:
    table = as_adata(truth())
    table.X = sparse.csc_matrix(table.X)
    with h5py.File(write_flat(root, "A", table=table), "r+") as file:
        damage(file["X"])
    return H5adReader(str(root), mpp=2.0).read("A")


def read_hest(root: Path, damage: Callable[[Group], None]) -> Section:
    write_hest(root, patches=range(25))
    with h5py.File(root / "st" / "T1.h5ad", "r+") as file:
        damage(file["X"])
    return HestReader(str(root)).read("T1")


def read_bundle(root: Path, damage: Callable[[Group], None]) -> Section:
    write_hest(root, patches=range(25))
    (root / "st").rename(root / "adata")
    with h5py.File(root / "adata" / "T1.h5ad", "r+") as file:
        damage(file["X"])
    return HestBenchmarkReader(str(root), mpp=2.0, pitch_um=120.0).read("T1")


def read_visium(root: Path, damage: Callable[[Group], None]) -> Section:
    write_visium(root, image=root / "a.tif")
    with h5py.File(root / "filtered_feature_bc_matrix.h5", "r+") as file:
        damage(file["matrix"])
    return VisiumReader(str(root)).read(root.name)


def nothing(_: Group) -> None:
    """The file stays as it is."""


READERS = [read_flat, read_layer, read_columns, read_hest, read_bundle, read_visium]


@pytest.mark.parametrize("read", READERS, ids=lambda read: read.__name__)
def test_wrong_indices_are_refused_in_words(tmp_path: Path, read: Any) -> None:
    assert read(tmp_path / "sound", nothing).adata.n_vars == 4
    for i, damage in enumerate(DAMAGES):
        with pytest.raises(InputError, match=r"damaged|is the file whole"):
            read(tmp_path / str(i), damage)


def test_a_matrix_of_text_with_a_place_twice(tmp_path: Path) -> None:
    outs = tmp_path / "S1"
    write_visium(outs, matrix="filtered_feature_bc_matrix", image=outs / "a.tif")
    path = outs / "filtered_feature_bc_matrix" / "matrix.mtx"
    text = "%%MatrixMarket matrix coordinate integer general\n4 37 2\n1 1 3\n1 1 {}\n"
    (path.parent / "matrix.mtx.gz").unlink()
    for line in (text, text.replace("1 1 3", "9 1 3"), text.replace("1 1 3", "0 1 3")):
        path.write_text(line.format(5))
        with pytest.raises(InputError, match=r"hold two values|cannot be read|outside the matrix"):
            VisiumReader(str(outs)).read("S1")


def test_sound_parts_make_the_matrix() -> None:
    matrix = sparse.random(7, 5, 0.4, "csr", random_state=0)
    again = checked_csr(matrix.data, matrix.indices, matrix.indptr, (7, 5), "x")
    assert (again != matrix).nnz == 0
    unsorted = checked_csr([1, 2], [3, 1], [0, 2], (1, 4), "x")
    assert unsorted.toarray().tolist() == [[0, 2, 0, 1]]


def with_raw(table: ad.AnnData, scale: float) -> ad.AnnData:
    raw = ad.AnnData(sparse.csr_matrix(table.X * scale), obs=table.obs, var=table.var)
    table = table[:, :3].copy()
    table.raw = raw
    table.X = table.X.log1p()
    return table


def test_counts_in_raw(tmp_path: Path) -> None:
    write_flat(tmp_path, "A", table=with_raw(as_adata(truth()), 1))
    for layer in (None, "raw"):
        section = H5adReader(str(tmp_path), mpp=2.0, layer=layer).read("A")
        np.testing.assert_array_equal(section.adata.X.toarray(), truth().counts)
        assert list(section.adata.var_names) == truth().genes


@pytest.mark.parametrize("scale", [0.5, -1, np.nan])
def test_raw_that_holds_no_counts(tmp_path: Path, scale: float) -> None:
    write_flat(tmp_path, "A", table=with_raw(as_adata(truth()), scale))
    with pytest.raises(InputError, match=r"A: expected raw counts.*data.reader.layer=NAME"):
        H5adReader(str(tmp_path), mpp=2.0).read("A")


@pytest.mark.parametrize("value", [1e308, np.inf, -1, 3e9])
def test_counts_beyond_reason(tmp_path: Path, value: float) -> None:
    table = as_adata(truth())
    table.X = table.X.astype(np.float64)
    table.X.data[5] = value
    write_flat(tmp_path, "A", table=table)
    with pytest.raises(
        InputError, match=r"A: expected raw counts|A: a count of .* is beyond reason"
    ):
        H5adReader(str(tmp_path), mpp=2.0).read("A")


HEAD = "%%MatrixMarket matrix coordinate integer general"


@pytest.mark.parametrize("name", ["m.mtx", "m.mtx.gz"])
def test_matrix_market_as_scipy_reads_it(tmp_path: Path, name: str) -> None:
    matrix = sparse.random(30, 20, 0.2, "coo", random_state=0)
    mmwrite(tmp_path / "m.mtx", matrix)
    if name.endswith("gz"):
        (tmp_path / name).write_bytes(gzip.compress((tmp_path / "m.mtx").read_bytes()))
    np.testing.assert_array_equal(read_matrix_market(tmp_path / name).toarray(), matrix.toarray())


@pytest.mark.parametrize(
    "text",
    [
        f"{HEAD}\n2 2 2\n1 1 3\n2 2",
        f"{HEAD}\n2 2 2\n1 1 3\n2 2 1.4\0\0 3",
        f"{HEAD}\n2 2 3\n1 1 3\n",
        f"{HEAD}\n2 2 1\n3 1 3\n",
        f"{HEAD}\n2 2 1\n0 1 3\n",
        f"{HEAD}\n",
        "",
        f"{HEAD}\n2 2 1\n1 1 3 4\n",
        "%%MatrixMarket matrix array real general\n1 1\n3\n",
        f"{HEAD}\n-2 2 1\n1 1 1\n",
        f"{HEAD}\n2 2 1\n1.5 1 1\n",
    ],
)
def test_torn_matrix_market(tmp_path: Path, text: str) -> None:
    outs = tmp_path / "S1"
    write_visium(outs, matrix="filtered_feature_bc_matrix", image=outs / "a.tif")
    path = outs / "filtered_feature_bc_matrix" / "matrix.mtx"
    (path.parent / "matrix.mtx.gz").unlink()
    path.write_text(text)
    with pytest.raises(InputError, match="S1"):
        VisiumReader(str(outs)).read("S1")
