"""Sparse counts, looked at before native code follows their indices.

SciPy's routines trust indices: one outside the matrix ends the process, or reads foreign memory as
counts. Its constructor checks lengths only, and cuts off what `indptr` leaves over.
"""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import anndata as ad
import h5py
import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from hespotex.common.errors import InputError
from hespotex.common.hdf5 import open_hdf5

log = logging.getLogger(__name__)
RAW = "raw"  # the name of `.raw` among layers
DAMAGED = "the file is damaged or was written wrongly: write the matrix anew from its source"


def checked_csr(
    data: Any, indices: Any, indptr: Any, shape: tuple[int, int], where: str
) -> sparse.csr_matrix:
    """A CSR matrix whose parts fit together; indices of a row in order.

    Args:
        data, indices, indptr, shape: as SciPy takes them.
        where: the file and what of it, for messages.

    Raises:
        InputError: saying which part is wrong.
    """
    data, indices, indptr = (np.asarray(array) for array in (data, indices, indptr))
    check_parts(data, indices, indptr, shape, where)
    matrix = sparse.csr_matrix((data, indices, indptr), shape=shape)
    matrix.check_format(full_check=True)
    return matrix


def check_parts(
    data: NDArray[Any],
    indices: NDArray[Any],
    indptr: NDArray[Any],
    shape: tuple[int, int],
    where: str,
) -> None:
    """Refuse parts of a compressed matrix (n_major, n_minor) that do not fit together."""
    if data.ndim != 1 or indices.ndim != 1 or indptr.ndim != 1 or min(shape) < 0:
        raise InputError(f"{where}: expected a sparse matrix of three lists of numbers; {DAMAGED}")
    if data.dtype.kind not in "iufb" or {indices.dtype.kind, indptr.dtype.kind} - set("iu"):
        kinds = f"{data.dtype}, {indices.dtype} and {indptr.dtype}"
        raise InputError(f"{where}: data, indices and indptr are of type {kinds}; {DAMAGED}")
    problem = _lengths(len(data), len(indices), indptr, shape[0]) or _places(
        indices, indptr, shape[1]
    )
    if problem:
        raise InputError(f"{where}: {problem}; {DAMAGED}")


def _lengths(n_data: int, n_indices: int, indptr: NDArray[Any], n_major: int) -> str | None:
    """What is wrong with the lengths, None for nothing."""
    if n_data != n_indices:
        return f"{n_data} values, but {n_indices} indices"
    if len(indptr) != n_major + 1:
        return f"indptr has {len(indptr)} entries, expected {n_major + 1}"
    if int(indptr[0]) != 0 or int(indptr[-1]) != n_data:
        return f"indptr runs from {indptr[0]} to {indptr[-1]}, expected 0 to {n_data}"
    if (indptr[1:] < indptr[:-1]).any():
        return "indptr goes down"
    return None


def _places(indices: NDArray[Any], indptr: NDArray[Any], n_minor: int) -> str | None:
    """What is wrong with the places of the values, None for nothing."""
    if not len(indices):
        return None
    if int(indices.min()) < 0 or int(indices.max()) >= n_minor:
        outside = int(((indices < 0) | (indices >= n_minor)).sum())
        return f"{outside} indices lie outside 0 to {n_minor - 1}"
    follows = np.diff(indices.astype(np.int64)) > 0
    starts = indptr[1:-1]
    follows[starts[(starts > 0) & (starts < len(indices))].astype(np.int64) - 1] = True
    if follows.all():
        return None
    in_row = np.asarray(indptr[1:] - indptr[:-1], dtype=np.int64)
    row = np.repeat(np.arange(len(in_row)), in_row)
    place = np.sort(row * n_minor + indices.astype(np.int64))
    twice = int((np.diff(place) == 0).sum())
    return f"{twice} places hold two values" if twice else None


def check_sparse(matrix: Any, where: str) -> None:
    """Refuse a SciPy CSR or CSC matrix whose indices lead outside; a dense one passes."""
    if sparse.issparse(matrix):
        shape = matrix.shape if matrix.format == "csr" else matrix.shape[::-1]
        if matrix.format not in ("csr", "csc"):
            raise InputError(f"{where}: expected a dense, CSR or CSC matrix, found {matrix.format}")
        check_parts(matrix.data, matrix.indices, matrix.indptr, shape, where)


def as_csr(matrix: Any, where: str) -> sparse.csr_matrix:
    """Counts (n_spots, n_genes) of an AnnData, dense or sparse, as CSR.

    Raises:
        InputError: indices that lead outside, or values that are no numbers.
    """
    check_sparse(matrix, where)
    if not sparse.issparse(matrix):
        matrix = np.asarray(matrix)
        if matrix.ndim != 2 or matrix.dtype.kind not in "iufb":
            kind = f"{matrix.ndim} dimensions of {matrix.dtype}"
            raise InputError(f"{where}: expected a matrix of numbers, found {kind}")
    return sparse.csr_matrix(matrix)


def check_stored(path: Path, names: Sequence[str]) -> None:
    """Refuse an h5ad whose sparse matrices of these names (`X`, `layers/counts`) do not fit
    together.

    Only here the lengths can be seen: SciPy cuts off what is left over, and anndata takes the shape
    on trust.
    """
    with open_hdf5(path) as file:
        for name in names:
            group = file.get(name)
            if isinstance(group, h5py.Group) and {"data", "indices", "indptr"} <= set(group):
                _check_group(group, f"{path}: {name}")


def _check_group(group: h5py.Group, where: str) -> None:
    shape = group.attrs.get("shape", group.attrs.get("h5sparse_shape"))
    if shape is None or np.shape(shape) != (2,):
        raise InputError(f"{where}: a sparse matrix without its shape; {DAMAGED}")
    kind = str(group.attrs.get("encoding-type", group.attrs.get("h5sparse_format", "csr")))
    n_major = int(shape[1] if kind.startswith("csc") else shape[0])
    indptr = group["indptr"][()]
    if np.ndim(indptr) != 1 or not len(indptr):
        raise InputError(f"{where}: indptr is empty; {DAMAGED}")
    problem = _lengths(group["data"].size, group["indices"].size, indptr, n_major)
    if problem:
        raise InputError(f"{where}: {problem}; {DAMAGED}")


def raw_counts(
    adata: ad.AnnData, path: Path, layer: str | None = None
) -> tuple[sparse.csr_matrix, list[str]]:
    """Counts (n_spots, n_genes) of an h5ad and the names of its genes.

    Args:
        adata, path: the file, read.
        layer: where they are: a layer, "raw" for `.raw`, or None: `X`, or `.raw` where `X` holds
            no whole numbers and `.raw` does.

    Raises:
        InputError: no such layer, no matrix, or indices that lead outside.
    """
    key = "data.reader.layer"
    if layer and layer not in adata.layers and not (layer == RAW and adata.raw is not None):
        raise InputError(
            f"{path}: no layer {layer!r}, found {_layers(adata)}; set {key}, or null for X"
        )
    if layer and layer in adata.layers:
        return as_csr(adata.layers[layer], f"{path}: layers/{layer}"), _genes(adata)
    if layer != RAW and adata.X is not None:
        counts = as_csr(adata.X, f"{path}: X")
        if whole(counts.data).all() or adata.raw is None:
            return counts, _genes(adata)
    if adata.raw is None:
        raise InputError(
            f"{path}: X is empty, layers are {_layers(adata)}; set {key} to the raw counts"
        )
    counts = as_csr(adata.raw.X, f"{path}: raw/X")
    if layer != RAW:
        log.info("%s: X holds no raw counts: those of .raw are read", path)
    return counts, [str(name) for name in adata.raw.var_names]


def whole(values: NDArray[Any]) -> NDArray[np.bool_]:
    """Which values can be raw counts: finite, not negative, whole."""
    is_count = np.isfinite(values) & (values >= 0) & (values == np.round(values))
    return np.asarray(is_count)


def _genes(adata: ad.AnnData) -> list[str]:
    return [str(name) for name in adata.var_names]


def _layers(adata: ad.AnnData) -> list[str]:
    return [*adata.layers, *([RAW] if adata.raw is not None else [])]
