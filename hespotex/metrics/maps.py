"""Metrics of gene maps: where on the section expression is high, not only at which spots."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter
from scipy.spatial import cKDTree

from hespotex.metrics.genes import TINY

Array = NDArray[np.float64]
WINDOW = 7  # px, side of the square in which two maps are compared
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

    def draw(self, values: Array) -> Array:
        """(n_spots, n_genes) -> (n_genes, height, width), 0 off tissue"""
        return np.where(self.tissue, values.T[:, self.spot], 0.0)


def ssim(predicted: Array, measured: Array, raster: Raster) -> Array:
    """Structural similarity of each gene's map (Wang et al. 2004), mean over the px on tissue.  ->
    (n_genes,)

    Means, variances and covariances are taken in a uniform window of 7 x 7 px, over what of it is
    tissue; the dynamic range is that of the measured gene in the section. Maps are compared in the
    target's unit, so a prediction that is shrunk towards the mean scores lower. NaN where the
    measured gene is constant or not measured.
    """
    span = np.ptp(measured, axis=0)
    known = measured.var(axis=0) >= TINY
    p, m = (raster.draw(values) for values in (predicted, measured))
    covered = _window_mean(raster.tissue[None].astype(np.float64)).clip(1e-12)
    mean_p, mean_m = (_window_mean(x) / covered for x in (p, m))
    var_p, var_m = (
        _window_mean(x * x) / covered - mean**2 for x, mean in ((p, mean_p), (m, mean_m))
    )
    covariance = _window_mean(p * m) / covered - mean_p * mean_m
    c1, c2 = (((k * np.where(known, span, 1.0)) ** 2)[:, None, None] for k in (K1, K2))
    similarity = (
        (2 * mean_p * mean_m + c1)
        * (2 * covariance + c2)
        / ((mean_p**2 + mean_m**2 + c1) * (var_p + var_m + c2))
    )
    return np.where(known, similarity[:, raster.tissue].mean(axis=1), np.nan)


def _window_mean(maps: Array) -> Array:
    """Mean over the window around each px of (n_genes, height, width); beyond the border is 0."""
    return np.asarray(uniform_filter(maps, (1, WINDOW, WINDOW), mode="constant"), dtype=np.float64)
