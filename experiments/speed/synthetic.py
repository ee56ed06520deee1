"""Synthetic sections of any size, written as the project reads them: `{id}.h5ad` with raw counts,
and `{id}.tif`.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from slide import MPP, drawn_tiles, write_mosaic

from hespotex.common.files import write_json
from hespotex.sections.section import make_adata

MARGIN_PX = 256
VISIUM_SPOTS = 10_000  # larger sections come from Visium HD only


@dataclass(frozen=True)
class Assay:
    """How spots lie, and how many of the counts are not 0."""

    pitch_um: float
    hexagonal: bool
    density: float


VISIUM = Assay(100.0, True, 0.15)
VISIUM_HD = Assay(16.0, False, 0.04)


def assay_of(n_spots: int) -> Assay:
    """Visium (hexagons at 100 um) as far as its sections go, beyond that bins of Visium HD (squares
    of 16 um).
    """
    return VISIUM if n_spots <= VISIUM_SPOTS else VISIUM_HD


def write_sections(
    folder: Path, spots: dict[str, int], n_genes: int, assay: Assay, seed: int = 0
) -> Path:
    """One section for each name and number of spots, all with the same genes; each its own patient.

    What is there already is kept: `spots.json` is written last.
    """
    done = folder / "spots.json"
    if not done.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        pieces = drawn_tiles()
        rates = gene_rates(n_genes, assay.density, seed)
        for number, (name, n) in enumerate(spots.items()):
            pos_px = positions(n, assay)
            write_mosaic(
                folder / f"{name}.tif",
                pieces,
                int(np.ceil(pos_px.max())) + MARGIN_PX,
                seed + number,
            )
            table = make_adata(
                draw_counts(n, rates, seed + number),
                [f"{name}-{i}" for i in range(n)],
                [f"GENE{i}" for i in range(n_genes)],
                pos_px,
            )
            table.uns["spatial"] = {name: {"scalefactors": {"microns_per_pixel": MPP}}}
            table.write_h5ad(folder / f"{name}.h5ad")
        write_json(done, spots)
    return folder


def positions(n: int, assay: Assay) -> NDArray[np.float64]:
    """Spot centres (n, 2) in px, x then y, on a patch of tissue that is about square."""
    row_height = np.sqrt(3) / 2 if assay.hexagonal else 1.0
    columns = int(np.ceil(np.sqrt(n * row_height)))
    row, column = np.divmod(np.arange(n), columns)
    x = column + 0.5 * (row % 2) * assay.hexagonal
    return np.round(np.stack([x, row * row_height], axis=1) * assay.pitch_um / MPP + MARGIN_PX)


def gene_rates(n_genes: int, density: float, seed: int) -> NDArray[np.float64]:
    """Share of the spots with counts of each gene: few genes in most spots, most genes in few;
    `density` on average.
    """
    rates = np.random.default_rng(seed).lognormal(0.0, 1.2, n_genes)
    for _ in range(20):  # what is cut off at 0.95 is given to the others
        rates = np.clip(rates * density / rates.mean(), 0.001, 0.95)
    return rates


def draw_counts(n: int, rates: NDArray[np.float64], seed: int) -> sparse.csr_matrix:
    """Counts (n, n_genes) without structure in space: speed does not depend on it."""
    rng = np.random.default_rng(seed)
    # thrown at random, so that a share of `rates` is hit at least once
    hits = rng.poisson(-np.log1p(-rates) * n)
    rows = rng.integers(0, n, hits.sum(), dtype=np.int32)
    columns = np.repeat(np.arange(len(rates), dtype=np.int32), hits)
    return sparse.coo_matrix(
        (np.ones(len(rows), np.float32), (rows, columns)), shape=(n, len(rates))
    ).tocsr()
