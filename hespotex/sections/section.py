"""One tissue section: counts, spot centres, pixel size, image and grouping keys."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import anndata as ad
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from hespotex.common.errors import InputError
from hespotex.common.files import digest, file_fingerprint
from hespotex.common.numerics.digests import array_digest

log = logging.getLogger(__name__)
ARRAY = ("array_col", "array_row")  # of obs, as Space Ranger names them
FARTHEST = 1e9  # px; no image is larger


@dataclass(frozen=True)
class SectionKey:
    """What the folds need to know of a section, cheap to read."""

    section_id: str
    group: str  # patient; the study where the patient is unknown. Never on both sides of a split


@dataclass(frozen=True)
class Section:
    """A section in memory; the image stays on disk.

    `adata`: raw counts (n_spots, n_genes) as CSR, `obs_names` barcodes, `obsm["spatial"]` spot
    centres in full-resolution px, x then y, and in `obs`, where they are known, `label`, a
    pathologist's words, and the place on the array, `array_col` and `array_row`. A bare slide has
    zero genes. Lengths are in um unless the name says px.
    """

    key: SectionKey
    adata: ad.AnnData
    mpp: float
    mpp_source: str
    pitch_um: float
    spot_diameter_um: float
    image: Path | None = None
    patches: Path | None = None  # HEST patches/{id}.h5, used where there is no image

    def __post_init__(self) -> None:
        """Refuse what no reader may give, whoever wrote it."""
        pos = np.asarray(self.adata.obsm.get("spatial", ()))
        n = len(self.adata)
        if pos.shape != (n, 2):
            raise InputError(
                f'{self.section_id}: expected obsm["spatial"] of shape ({n}, 2), px, x then y, got'
                f" {pos.shape}"
            )
        for name in ("mpp", "pitch_um", "spot_diameter_um"):
            if not (np.isfinite(length := getattr(self, name)) and length > 0):
                raise InputError(
                    f"{self.section_id}: expected {name} above 0, got {length}; it is data.reader"
                    " that gave it"
                )

    @property
    def section_id(self) -> str:
        """Its name in tables and file names, unique in the data set."""
        return self.key.section_id

    @property
    def pixels(self) -> Path:
        """The file that the patches come from."""
        path = self.image or self.patches
        if path is None:
            raise InputError(f"{self.section_id}: neither an image nor stored patches")
        return path

    @property
    def barcodes(self) -> list[str]:
        """Names of the spots, in the order of the rows of `adata`."""
        return [str(name) for name in self.adata.obs_names]

    @property
    def labels(self) -> list[str | None] | None:
        """A pathologist's label of each spot, None for a spot without; None where the section has
        none.
        """
        if "label" not in self.adata.obs:
            return None
        return [
            str(label) if isinstance(label, str) and label else None
            for label in self.adata.obs["label"]
        ]

    @property
    def pos_px(self) -> NDArray[np.float64]:
        """Spot centres (n_spots, 2) in full-resolution px, x then y."""
        return np.asarray(self.adata.obsm["spatial"], dtype=np.float64)

    @property
    def pos(self) -> NDArray[np.float64]:
        """Spot centres (n_spots, 2) in um, x then y."""
        return self.pos_px * self.mpp

    def keep(self, spots: NDArray[np.bool_] | Sequence[int]) -> "Section":
        """The same section with these spots only."""
        return replace(self, adata=self.adata[np.asarray(spots)].copy())

    def measured_spots(self, min_counts: int) -> "Section":
        """The same section less the spots with fewer than `min_counts` counts in all; logs how
        many.

        Raises:
            InputError: none is left.
        """
        enough = library_size(self.adata.X) >= min_counts
        if not enough.any():
            raise InputError(
                f"{self.section_id}: no spot has {min_counts} counts; is the matrix empty? Else"
                " lower data.min_counts"
            )
        if not enough.all():
            log.info(
                "%s: dropped %d spots with fewer than %d counts",
                self.section_id,
                (~enough).sum(),
                min_counts,
            )
        return self.keep(enough)

    def with_adata(self, adata: ad.AnnData) -> "Section":
        """The same section with another table of the same spots."""
        return replace(self, adata=adata)

    def without_counts(self) -> "Section":
        """The same section with its positions only."""
        return replace(self, adata=self.adata[:, []].copy())


class Reader(Protocol):
    """A data set on disk: lists its sections cheaply, reads one at a time."""

    def section_keys(self) -> list[SectionKey]:
        """The sections that will be used, without their counts."""
        ...

    def read(self, section_id: str) -> Section:
        """One section, with its counts in memory.

        Raises:
            InputError: a file is missing or broken, or its spots do not fit its image.
        """
        ...


def make_adata(
    counts: sparse.csr_matrix,
    barcodes: Sequence[str],
    genes: Sequence[str],
    pos_px: NDArray[np.float64],
    section_id: str | None = None,
) -> ad.AnnData:
    """Raw counts and spot centres (px, x then y) as AnnData; counts of genes named twice are
    summed, which the log says, of this section where it is given.
    """
    counts, unique = sum_columns(counts, [str(gene) for gene in genes])
    if len(unique) < len(genes):
        twice = pd.Index(genes)[pd.Index(genes).duplicated()].unique()
        message = "%s%d gene names stand more than once, such as %s: their counts are summed"
        log.info(message, f"{section_id}: " if section_id else "", len(twice), twice[0])
    adata = ad.AnnData(X=sparse.csr_matrix(counts, dtype=np.float32))
    adata.obs_names = [str(b) for b in barcodes]
    adata.var_names = unique
    adata.obsm["spatial"] = np.asarray(pos_px, dtype=np.float64)
    return adata


def place_on_array(adata: ad.AnnData, array: pd.DataFrame | NDArray[np.float64]) -> None:
    """Keep where each spot stands on the array, as whole numbers `obs["array_col"]` and
    `obs["array_row"]`; nothing where that is not known of every spot.

    Args:
        adata: the spots.
        array: (n_spots, 2) column and row, or a table of the spots that may have these columns.
    """
    names = list(ARRAY)
    table = pd.DataFrame(array, columns=names) if isinstance(array, np.ndarray) else array
    if not set(names) <= set(table):
        return
    numbers = pd.DataFrame(
        {name: pd.to_numeric(pd.Series(list(table[name])), errors="coerce") for name in names}
    ).to_numpy(dtype=np.float64)
    if np.isfinite(numbers).all() and (np.abs(numbers) < FARTHEST).all():
        adata.obs[names] = np.round(numbers).astype(np.int64)


def sum_columns(
    counts: sparse.csr_matrix, names: Sequence[str]
) -> tuple[sparse.csr_matrix, list[str]]:
    """Counts (n_spots, n_unique) with the columns of one name added up, and the names in order of
    first appearance.
    """
    unique = list(dict.fromkeys(names))
    if len(unique) < len(names):
        column = {gene: i for i, gene in enumerate(unique)}
        pick = sparse.csr_matrix(
            (np.ones(len(names)), (np.arange(len(names)), [column[g] for g in names]))
        )
        counts = counts @ pick
    return counts, unique


def library_size(counts: sparse.csr_matrix) -> NDArray[np.float64]:
    """Counts of each spot over all genes, (n_spots,)."""
    return np.asarray(counts.sum(axis=1)).ravel()


def section_facts(section: Section) -> dict[str, Any]:
    """What tells a section from another one, under whatever name: group, size, hashes of counts and
    of the image file.
    """
    counts = sparse.csr_matrix(section.adata.X)
    if not counts.has_sorted_indices:
        counts = counts.sorted_indices()
    names = [section.barcodes, [str(gene) for gene in section.adata.var_names]]
    places = [array_digest(array, np.int64) for array in (counts.indptr, counts.indices)]
    return {
        "group": section.key.group,
        "n_spots": len(section.adata),
        "counts": digest([*names, *places, array_digest(counts.data, np.float32)]),
        "image": file_fingerprint(section.pixels),
        "area_px": spots_area(section),
    }


def spots_area(section: Section) -> list[float]:
    """Left, top, right and bottom of the spot centres, in px of the image; empty for no spots."""
    pos = section.pos_px
    return [] if not len(pos) else [float(v) for v in (*pos.min(axis=0), *pos.max(axis=0))]


def one_area(a: Sequence[float] | None, b: Sequence[float] | None) -> bool:
    """Whether two areas of one image overlap; so do areas that are not known.

    Sections of two patients may share a scan: there the files are equal, and the tissue is not.
    """
    if not a or not b:
        return True
    return a[0] <= b[2] and b[0] <= a[2] and a[1] <= b[3] and b[1] <= a[3]


def check_positions(section_id: str, pos_px: NDArray[np.float64]) -> None:
    """Refuse positions that are not numbers."""
    broken = int((~(np.abs(pos_px) < FARTHEST)).any(axis=1).sum())
    if broken:
        raise InputError(
            f"{section_id}: {broken} of {len(pos_px)} spot positions are not numbers; drop these"
            " spots from the file"
        )


def check_spots(section: Section, width_px: int, height_px: int) -> None:
    """Refuse spots that lie outside the image.

    Raises:
        InputError: naming the section, the image size and how many spots are outside.
    """
    pos = section.pos_px
    outside = int(((pos < 0) | (pos > [width_px, height_px]) | ~np.isfinite(pos)).any(axis=1).sum())
    if outside:
        raise InputError(
            f"{section.section_id}: {outside} of {len(pos)} spots lie outside the image of"
            f" {width_px} x {height_px} px ({section.image}); spot x spans"
            f" {pos[:, 0].min():.0f}..{pos[:, 0].max():.0f} px, y"
            f" {pos[:, 1].min():.0f}..{pos[:, 1].max():.0f} px. Is it the full-resolution image,"
            " and are x and y in order?"
        )
