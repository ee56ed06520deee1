"""Measured spots of one h5ad, for every reader of such files: counts, positions, and what is said
of both.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from hespotex.common.errors import InputError
from hespotex.sections.ids import check_unique
from hespotex.sections.readers.checks.counts import raw_counts
from hespotex.sections.readers.checks.frame import OVERRIDE, Frame, xy_of
from hespotex.sections.readers.checks.on_tissue import COLUMN, spots_on_tissue
from hespotex.sections.readers.common import check_counts, read_h5ad
from hespotex.sections.readers.libraries import KEY, Library, libraries_of, library_column
from hespotex.sections.section import check_positions

ALL_SPOTS = "put the column right, or take all spots with data.reader.in_tissue=null"


@dataclass(frozen=True)
class How:
    """How an h5ad is read.

    `layer`: see `raw_counts`; `in_tissue`: column of `obs` that says which spots lie on tissue,
    None for all spots; `check_frame`: look whether the positions are px of the image; `library`: of
    a file that holds several, the one to read.
    """

    layer: str | None = None
    in_tissue: str | None = COLUMN
    check_frame: bool = True
    all_spots: str = ALL_SPOTS
    override: str = OVERRIDE
    library: Library | None = None


@dataclass(frozen=True)
class Measured:
    """Spots on tissue: `counts` (n_spots, n_genes), `pos` (n_spots, 2) px, x then y, `factors` of
    the library.
    """

    barcodes: list[str]
    genes: list[str]
    counts: sparse.csr_matrix
    pos: NDArray[np.float64]
    obs: pd.DataFrame
    frame: Frame


def read_measured(section_id: str, path: Path, how: How) -> Measured:
    """The spots of an h5ad that lie on tissue.

    Raises:
        InputError: no raw counts, positions that are no px of the image, several libraries.
    """
    adata = read_h5ad(path, how.layer)
    counts, genes = raw_counts(adata, path, how.layer)
    mine = how.library.spots(adata.obs) if how.library else np.ones(len(adata), dtype=bool)
    keep = mine.copy()
    keep[mine] = spots_on_tissue(section_id, adata.obs[mine], how.in_tissue, how.all_spots)
    barcodes = np.array([str(name) for name in adata.obs_names], dtype=object)
    check_counts(section_id, counts if mine.all() else counts[mine], list(barcodes[mine]))
    frame = _frame(section_id, path, adata, keep, how)
    kept_counts = counts if keep.all() else counts[keep]
    return Measured(list(barcodes[keep]), genes, kept_counts, frame.pos, frame.obs, frame)


def measured_positions(path: Path, how: How) -> tuple[list[str], Frame]:
    """Barcodes and positions of the spots of an h5ad that lie on tissue; counts are not looked
    at.
    """
    adata = read_h5ad(path)
    keep = spots_on_tissue(path.name, adata.obs, how.in_tissue, how.all_spots)
    names = [str(name) for name, inside in zip(adata.obs_names, keep, strict=True) if inside]
    check_unique(names, f"barcodes of {path}", "each spot needs a name of its own")
    return names, _frame(path.name, path, adata, keep, how)


def library_factors(
    section_id: str, adata: ad.AnnData, obs: pd.DataFrame, how: How
) -> dict[str, Any]:
    """Scale factors of the one library of a file; empty where none is told.

    Raises:
        InputError: the spots are of several libraries, or the file does not say of which.
    """
    libraries = libraries_of(adata.uns.get("spatial"))
    if how.library and len(libraries) > 1:
        libraries = {n: v for n, v in libraries.items() if n == how.library.name}
    elif how.check_frame and not how.library:
        libraries = _of_spots(section_id, libraries, obs, how)
    factors = next(iter(libraries.values()), {}).get("scalefactors", {})
    return dict(factors) if isinstance(factors, Mapping) else {}


def _of_spots(
    section_id: str, libraries: dict[str, Mapping[str, Any]], obs: pd.DataFrame, how: How
) -> dict[str, Mapping[str, Any]]:
    column, names = library_column(libraries, obs)
    if column is not None and len(names) == 1:
        return {n: v for n, v in libraries.items() if n == names[0]} or libraries
    if column is not None:
        split = f"adata[adata.obs[{column!r}] == {names[0]!r}]"
        where = f"obs[{column!r}] holds {len(names)} libraries ({names[:5]})"
    elif len(libraries) > 1:
        split = "adata[spots of one library], with the others left out of uns"
        where = f'uns["spatial"] holds {len(libraries)} libraries ({list(libraries)[:5]})'
    else:
        return libraries
    raise InputError(
        f"{section_id}: {where}, but a section has one image: name the column of obs that tells"
        f" them apart (data=h5ad {KEY}), or write one file for each, such as {split}; or take all"
        f" spots as one section with {how.override}"
    )


def _frame(
    section_id: str, path: Path, adata: ad.AnnData, keep: NDArray[np.bool_], how: How
) -> Frame:
    pos = xy_of(adata.obsm["spatial"], f'{path}: obsm["spatial"]')[keep]
    check_positions(section_id, pos)
    obs = adata.obs[keep]
    factors = library_factors(section_id, adata, obs, how)
    frame = Frame(section_id, pos, obs, factors, how.override)
    if how.check_frame:
        frame.check_file()
    return frame
