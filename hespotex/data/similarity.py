"""Signals that two sections are one tissue: the image file, the look of the image, the grid of spots."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from hespotex.data.images.region import thumbnail_of
from hespotex.data.section import Section
from hespotex.files import file_fingerprint

HASH_SIDE = 16
HASH_MARGIN = 2.0  # grey levels; less is glass or the noise of JPEG
HASH_DISTANCE = 0.35  # of the edges of both; unrelated tissue has 0.6 and more
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
    """What is compared of a section: `pos` (n_spots, 2) um about the centroid, `totals` (n_spots,) log counts or None."""

    section_id: str
    file: str
    pixels: NDArray[np.uint8] | None
    pos: Floats
    pitch_um: float
    totals: Floats | None

    def same_as(self, other: "Look") -> str | None:
        """Why the two are taken for one tissue, or None."""
        if self.file == other.file:
            return "the image files are equal"
        if self.pixels is not None and other.pixels is not None and hash_distance(self.pixels, other.pixels) <= HASH_DISTANCE:
            return "the images look alike"
        return "the grids of spots are equal" if same_grid(self, other) else None


def look_at(section: Section, thumbnails: bool = False) -> Look:
    """Gather the signals of a section; a thumbnail is decoded only if asked for."""
    pixels = None
    if thumbnails and section.image is not None:
        pixels = thumbnail_of(section.image, 512)[0]
    counts = np.asarray(section.adata.X.sum(axis=1), dtype=float).ravel() if section.adata.n_vars else None
    return Look(
        section.section_id,
        file_fingerprint(section.pixels),
        pixels,
        section.pos - section.pos.mean(axis=0),
        section.pitch_um,
        None if counts is None else np.log1p(counts),
    )


def difference_hash(image: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Where the image (RGB or grey) grows brighter and darker to the right and downwards: bits (4, side, side).

    The image is reduced to `HASH_SIDE` + 1 squares a side first, so re-compression and a change of brightness hardly
    matter. Flat areas (glass) set no bit.
    """
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) if image.ndim == 3 else image
    side = HASH_SIDE + 1
    small = cv2.resize(cv2.GaussianBlur(grey, (5, 5), 0), (side, side), interpolation=cv2.INTER_AREA).astype(float)
    right, down = np.diff(small, axis=1)[:-1], np.diff(small, axis=0)[:, :-1]
    return np.stack([right > HASH_MARGIN, right < -HASH_MARGIN, down > HASH_MARGIN, down < -HASH_MARGIN])


def hash_distance(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> float:
    """Share of the bits set in either image that differ, the least over rotations by 90 degrees and mirrors; 0 to 1."""
    first = difference_hash(a)
    turned = [np.rot90(side, k) for k in range(4) for side in (b, b[:, ::-1])]
    return min(_bit_distance(first, difference_hash(np.ascontiguousarray(image))) for image in turned)


def _bit_distance(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> float:
    either = int((a | b).sum())
    return float((a ^ b).sum() / either) if either else 1.0


def same_grid(a: Look, b: Look) -> bool:
    """Whether the spots of two sections lie at the same places, turned or mirrored, with totals that agree.

    Full arrays all have the same grid, so where both have counts the totals of partners must correlate as well.
    """
    n = sorted((len(a.pos), len(b.pos)))
    if n[0] < 6 or n[0] < GRID_SHARE * n[1] or abs(a.pitch_um / b.pitch_um - 1) > 0.05 or not _radii_agree(a, b):
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
