"""The feature matrix that 10x software writes, as one HDF5 file or as a folder of three files."""

import csv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

from hespotex.common.errors import InputError, cause
from hespotex.common.hdf5 import open_hdf5
from hespotex.sections.names.genes import Genes, genes_of
from hespotex.sections.readers.checks.counts import DAMAGED, checked_csr
from hespotex.sections.readers.common import read_table
from hespotex.sections.readers.spaceranger.find import need_file
from hespotex.sections.readers.spaceranger.matrix_market import read_matrix_market

GENES = "Gene Expression"
TEXT: dict[str, Any] = {  # there is a gene family whose names look like NaN
    "header": None,
    "dtype": str,
    "keep_default_na": False,
    "quoting": csv.QUOTE_NONE,
}


def read_matrix(path: Path) -> tuple[sparse.csr_matrix, list[str], list[str]]:
    """Gene counts (n_spots, n_genes), barcodes and gene names; antibodies, control probes and other
    features are left out.

    Raises:
        InputError: no such matrix, a broken one, or one without genes.
    """
    with _readable(path):
        counts, barcodes, features = _from_mtx(path) if path.is_dir() else _from_h5(path)
    genes = np.flatnonzero(features["type"] == GENES)
    if not len(genes) and len(features):
        raise InputError(
            f"{path}: no feature of type {GENES}, found {sorted(set(features['type']))}"
        )
    return counts[:, genes], barcodes, list(features["name"].iloc[genes])


def matrix_genes(path: Path) -> Genes:
    """The genes of a matrix with their Ensembl ids; the counts are not looked at."""
    with _readable(path):
        if path.is_dir():
            features = _features_of_mtx(path)
        else:
            with open_hdf5(path) as file:
                features = _features_of_h5(file["matrix"])
    genes = features[features["type"] == GENES]
    return genes_of(genes["name"], genes["id"])


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """h5py, gzip and SciPy raise many kinds for a broken file."""
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        raise InputError(
            f"{path}: cannot be read as a feature matrix of 10x Genomics ({type(error).__name__}:"
            f" {cause(error)}); is the file whole?"
        ) from error


def _from_h5(path: Path) -> tuple[sparse.csr_matrix, list[str], pd.DataFrame]:
    with open_hdf5(path) as file:
        group: Any = file["matrix"]
        n_genes, n_spots = (int(n) for n in group["shape"][:])
        arrays = (group["data"][:], group["indices"][:], group["indptr"][:])
        barcodes = _texts(group["barcodes"])
        names = _texts(group["features/name"])
        types = _texts(group["features/feature_type"])
    counts = checked_csr(*arrays, (n_spots, n_genes), f"{path}: matrix")  # stored by spot
    if len(barcodes) != n_spots or len(names) != n_genes or len(types) != n_genes:
        raise InputError(
            f"{path}: matrix of {n_spots} spots and {n_genes} features, but {len(barcodes)}"
            f" barcodes, {len(names)} names and {len(types)} types; is the file whole?"
        )
    return counts, barcodes, pd.DataFrame({"name": names, "type": types})


def _features_of_h5(group: Any) -> pd.DataFrame:
    """`name`, `type` and `id` of each feature."""
    names = _texts(group["features/name"])
    ids = _texts(group["features/id"]) if "id" in group["features"] else [""] * len(names)
    types = _texts(group["features/feature_type"])
    return pd.DataFrame({"name": names, "type": types, "id": ids})


def _texts(values: Any) -> list[str]:
    return [value.decode() for value in values[:]]


def _from_mtx(folder: Path) -> tuple[sparse.csr_matrix, list[str], pd.DataFrame]:
    features = _features_of_mtx(folder)
    barcodes = list(read_table(need_file(folder, "barcodes.tsv"), **TEXT)[0])
    stored = read_matrix_market(need_file(folder, "matrix.mtx"))
    counts = sparse.csr_matrix(stored.T)
    if counts.nnz != stored.nnz:
        raise InputError(f"{folder}: {stored.nnz - counts.nnz} places hold two values; {DAMAGED}")
    if counts.shape != (len(barcodes), len(features)):
        raise InputError(
            f"{folder}: matrix of {counts.shape}, but {len(barcodes)} barcodes and {len(features)}"
            " features"
        )
    return counts, barcodes, features


def _features_of_mtx(folder: Path) -> pd.DataFrame:
    table = read_table(need_file(folder, "features.tsv"), **TEXT)
    return pd.DataFrame({"name": table[1], "type": table[2], "id": table[0]})
