"""Metrics of gene maps: where on the section expression is high, not only at which spots."""

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from hespotex.common.numerics.correlation import TINY
from hespotex.metrics.genes import Array, Centred

WINDOW = 7  # px, side of the square in which two maps are compared
INSIDE = WINDOW // 2
# px of all genes at a time: what is made of them stays in the processor's cache
STRIP = 32768
# Wang et al. 2004
K1 = 0.01
K2 = 0.03
# pitches: on square and hexagonal grids every place between spots is nearer than this to one
REACH = 0.75
NEXT = 1.25  # pitches: nearer spots are neighbours on the grid, not the diagonal ones of a square
HEXAGONAL = 0.5 * 3**0.5  # pitches between rows


@dataclass(frozen=True)
class Raster:
    """Spots as a picture: each px on tissue shows the spot nearest to its centre.

    A px is one pitch on a square grid, where the picture is the grid itself, and the distance of
    the rows on a hexagonal one, where some spots show twice. `spot` (height, width): number of the
    spot shown; -1 off tissue.
    """

    spot: NDArray[np.int64]

    @classmethod
    def of(cls, pos: Array, pitch_um: float) -> "Raster":
        """Raster of spot centres (n_spots, 2) in um."""
        tree = cKDTree(pos)
        n_next = np.median(tree.query_ball_point(pos, NEXT * pitch_um, return_length=True)) - 1
        px = pitch_um * (HEXAGONAL if n_next > 4 else 1.0)
        width, height = np.round((pos.max(axis=0) - pos.min(axis=0)) / px).astype(int) + 1
        row, column = np.mgrid[:height, :width]
        centres = pos.min(axis=0) + px * np.stack([column, row], axis=-1)
        distance, spot = tree.query(centres.reshape(-1, 2))
        return cls(np.where(distance <= REACH * pitch_um, spot, -1).reshape(height, width))

    @property
    def tissue(self) -> NDArray[np.bool_]:
        """(height, width)"""
        return self.spot >= 0

    @cached_property
    def share(self) -> Array:
        """One over the px on tissue in the window around each px, (height, width); 0 for none."""
        covered = _window_sum(self.on_tissue[None])[0]
        return np.divide(1.0, covered, out=np.zeros(covered.shape), where=covered > 0)

    @cached_property
    def on_tissue(self) -> Array:
        """1 for a px on tissue, 0 elsewhere, with a border as wide as windows reach over it."""
        return np.pad(self.tissue, INSIDE).astype(np.float64)

    @cached_property
    def wide(self) -> NDArray[np.int64]:
        """`spot` with the same border; any spot stands where none is shown."""
        return np.pad(np.maximum(self.spot, 0), INSIDE)

    def draw(self, values: Array, rows: slice) -> Array:
        """Some rows of each gene's map and the border around them, 0 off tissue.

        Args:
            values: (n_genes, n_spots).

        Returns:
            (n_genes, n_rows + 6, width + 6).
        """
        start, stop, _ = rows.indices(len(self.spot))
        wide = slice(start, stop + 2 * INSIDE)
        drawn = np.take(values, self.wide[wide], axis=1)
        drawn *= self.on_tissue[wide]
        return drawn


def ssim(predicted: Centred, measured: Centred, raster: Raster) -> Array:
    """Structural similarity of each gene's map (Wang et al. 2004), mean over the px on tissue.  ->
    (n_genes,)

    Means, variances and covariances are taken in a uniform window of 7 x 7 px, over what of it is
    tissue; the dynamic range is that of the measured gene in the section. Maps are compared in the
    target's unit, so a prediction that is shrunk towards the mean scores lower. NaN where the
    measured gene is constant or not measured.
    """
    varies = measured.variance >= TINY
    span = np.where(varies, np.ptp(measured.away, axis=1), 1.0)
    total = np.zeros(len(varies))
    height = len(raster.spot)
    n_strips = -(-raster.spot.size * len(varies) // STRIP)
    n_rows = -(-height // n_strips)
    for start in range(0, height, n_rows):
        total += _strip(predicted, measured, span, raster, slice(start, start + n_rows))
    return np.where(varies, total / raster.tissue.sum(), np.nan)


def _strip(
    predicted: Centred, measured: Centred, span: Array, raster: Raster, rows: slice
) -> Array:
    """Sum of the similarity over the px on tissue in these rows, (n_genes,)."""
    p = raster.draw(predicted.away, rows)
    m = raster.draw(measured.away, rows)
    share = raster.share[rows]
    mean_p = _window_mean(p, share)
    mean_m = _window_mean(m, share)
    covariance = _window_mean(p * m, share)
    covariance -= mean_p * mean_m
    p *= p
    m *= m
    p += m
    variances = _window_mean(p, share)
    variances -= mean_p * mean_p
    variances -= mean_m * mean_m
    mean_p += predicted.mean[:, None, None]
    mean_m += measured.mean[:, None, None]
    c1, c2 = (((k * span) ** 2)[:, None, None] for k in (K1, K2))
    similarity = _ratio(mean_p * mean_m, mean_p * mean_p + mean_m * mean_m, c1)
    similarity *= _ratio(covariance, variances, c2)
    return np.einsum("ghw,hw->g", similarity, (raster.spot[rows] >= 0).astype(np.float64))


def _ratio(cross: Array, squares: Array, constant: Array) -> Array:
    """(2 cross + c) / (squares + c), in place."""
    cross *= 2
    cross += constant
    squares += constant
    cross /= squares
    return cross


def _window_mean(maps: Array, share: Array) -> Array:
    """Over what is tissue of each square of 7 x 7 px, (n_genes, height, width) -> (n_genes,
    height - 6, width - 6)
    """
    total = _window_sum(maps)
    total *= share
    return total


def _window_sum(maps: Array) -> Array:
    """Sum over each square of 7 x 7 px, (n_genes, height, width) -> (n_genes, height - 6,
    width - 6)
    """
    return np.stack([_box(each) for each in maps])


def _box(values: Array) -> Array:
    total = cv2.boxFilter(values, -1, (WINDOW, WINDOW), normalize=False)
    return total[INSIDE:-INSIDE, INSIDE:-INSIDE]
