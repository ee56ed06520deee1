"""Signals that two sections are one tissue: the image file, and the grid of spots with their
counts.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from hespotex.common.files import file_fingerprint
from hespotex.sections.section import Section, library_size, one_area, spots_area

GRID_TOLERANCE = 0.25  # of the pitch
GRID_SHARE = 0.97  # of the spots of both that have a partner
TOTALS_CORRELATION = 0.8  # adjacent sections stay below; one library counted twice does not
ORIENTATIONS = [np.array(m, dtype=float) for m in (
    [[1, 0], [0, 1]], [[0, 1], [-1, 0]], [[-1, 0], [0, -1]], [[0, -1], [1, 0]],
    [[-1, 0], [0, 1]], [[1, 0], [0, -1]], [[0, 1], [1, 0]], [[0, -1], [-1, 0]],
)]  # fmt: skip
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Look:
    """What is compared of a section: `pos` (n_spots, 2) um about the centroid, `totals` (n_spots,)
    log counts or None.
    """

    section_id: str
    file: str
    pos: Floats
    pitch_um: float
    totals: Floats | None
    area_px: tuple[float, ...] = ()  # of the spots on the image

    def same_as(self, other: "Look") -> str | None:
        """Why the two are taken for one tissue, or None."""
        if self.file == other.file and one_area(self.area_px, other.area_px):
            return "the image files are equal"
        return "the grids of spots are equal" if same_grid(self, other) else None


def look_at(section: Section) -> Look:
    """Gather the signals of a section; no pixel is decoded."""
    counts = library_size(section.adata.X).astype(float) if section.adata.n_vars else None
    return Look(
        section.section_id,
        file_fingerprint(section.pixels),
        section.pos - section.pos.mean(axis=0),
        section.pitch_um,
        None if counts is None else np.log1p(counts),
        tuple(spots_area(section)),
    )


def same_grid(a: Look, b: Look) -> bool:
    """Whether the spots of two sections lie at the same places, turned or mirrored, with totals
    that agree.

    Full arrays all have the same grid, so where both have counts the totals of partners must
    correlate as well.
    """
    n = sorted((len(a.pos), len(b.pos)))
    if (
        n[0] < 6
        or n[0] < GRID_SHARE * n[1]
        or abs(a.pitch_um / b.pitch_um - 1) > 0.05
        or not _radii_agree(a, b)
    ):
        return False
    return any(_grids_match(a, b, b.pos @ matrix) for matrix in ORIENTATIONS)


def _radii_agree(a: Look, b: Look) -> bool:
    """Distances from the centroid: the same under every rotation, and cheap."""
    steps = np.linspace(0.05, 0.95, 10)
    radii = [np.quantile(np.linalg.norm(look.pos, axis=1), steps) for look in (a, b)]
    return bool(np.abs(radii[0] - radii[1]).max() <= a.pitch_um)


def _grids_match(a: Look, b: Look, pos: Floats) -> bool:
    tree = cKDTree(a.pos)
    for _ in range(3):  # one spot more or less moves the centroid: follow the partners
        distance, partner = tree.query(pos)
        pos = pos - np.median(pos - a.pos[partner], axis=0)
    distance, partner = tree.query(pos)
    near = distance <= GRID_TOLERANCE * a.pitch_um
    if len(set(partner[near])) < GRID_SHARE * max(len(a.pos), len(pos)):
        return False
    if a.totals is None or b.totals is None:
        return True
    pair = np.stack([a.totals[partner[near]], b.totals[near]])
    return bool((pair.std(axis=1) > 0).all() and np.corrcoef(pair)[0, 1] >= TOTALS_CORRELATION)
