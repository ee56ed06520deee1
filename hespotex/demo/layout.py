"""Where things are: tissue outline, regions, smooth morphological fields and the spot grid."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

MPP = 0.7  # um per full-resolution pixel
PITCH_UM = 100.0
SPOT_UM = 55.0
MARGIN_UM = 100.0
FIELD_STEP = 8  # full-resolution pixels per field pixel
FIELD_UM = FIELD_STEP * MPP
TISSUE_SHARE = 0.8  # of the grid's spots
REGIONS = ("stroma", "tumour", "lymphoid", "adipose")


@dataclass(frozen=True)
class SpotGrid:
    """Spots of one section: centre `xy` (n_spots, 2) in full-resolution px, array `row`, `col`."""

    xy: Doubles
    row: NDArray[np.int64]
    col: NDArray[np.int64]


@dataclass(frozen=True)
class Layout:
    """Plan of one section; the fields are (side, side) float32 on a grid of `FIELD_STEP` px.

    `tissue` is soft in 0..1, `regions` (4, side, side) sums to 1 over its first axis, `density`,
    `size` and `elongation` have zero mean and unit variance, `angle` is in radians.
    """

    size_px: int
    tissue: Floats
    regions: Floats
    density: Floats
    size: Floats
    elongation: Floats
    angle: Floats
    spots: SpotGrid


def blur(image: Floats, sigma_px: float) -> Floats:
    """Gaussian blur with reflecting borders, any shape cv2 takes."""
    out = cv2.GaussianBlur(image, (0, 0), sigma_px, borderType=cv2.BORDER_REFLECT)
    return np.asarray(out, dtype=np.float32)


def upsample(field: Floats, size_px: int) -> Floats:
    """Resize a field to (size_px, size_px), bilinearly."""
    out = cv2.resize(field, (size_px, size_px), interpolation=cv2.INTER_LINEAR)
    return np.asarray(out, dtype=np.float32)


def smooth_field(rng: np.random.Generator, side: int, sigma_um: float) -> Floats:
    """Return a (side, side) field, zero mean, unit variance, correlated over about `sigma_um`."""
    noise = blur(rng.standard_normal((side, side), dtype=np.float32), sigma_um / FIELD_UM)
    return np.asarray((noise - noise.mean()) / noise.std(), dtype=np.float32)


def sample(field: Floats, xy: Doubles) -> Doubles:
    """Read a field (side, side) at full-resolution points (n, 2): nearest field pixel, (n,)."""
    index = np.clip((xy / FIELD_STEP).astype(np.int64), 0, field.shape[-1] - 1)
    return np.asarray(field[..., index[:, 1], index[:, 0]], dtype=np.float64)


def hexagonal_grid(spots_per_side: int) -> SpotGrid:
    """Return every spot of a Visium-like grid: odd rows shifted by half a pitch."""
    n_rows = max(2, round(spots_per_side * 2 / np.sqrt(3)))
    row, col = np.divmod(np.arange(n_rows * spots_per_side), spots_per_side)
    x_um = MARGIN_UM + PITCH_UM * (0.25 + col + 0.5 * (row % 2))
    y_um = MARGIN_UM + PITCH_UM * (0.25 + row * np.sqrt(3) / 2)
    # Visium counts half pitches along a row, so that neighbours in a row differ by 2.
    return SpotGrid(np.stack([x_um, y_um], axis=1) / MPP, row, 2 * col + row % 2)


def tissue_outline(rng: np.random.Generator, side: int, grid: SpotGrid) -> tuple[Floats, SpotGrid]:
    """Return the soft tissue mask (side, side) and the spots whose centre lies on tissue."""
    axis = np.linspace(-1, 1, side, dtype=np.float32)
    radius = (np.abs(axis[None]) ** 3 + np.abs(axis[:, None]) ** 3) ** (1 / 3)
    scale_um = side * FIELD_UM
    wobble = smooth_field(rng, side, 0.12 * scale_um) + 0.3 * smooth_field(
        rng, side, 0.025 * scale_um
    )
    # The last term keeps glass all round: a real scan is not cut at the tissue.
    edge = np.clip(np.maximum(np.abs(axis[None]), np.abs(axis[:, None])) - 0.84, 0, None)
    height = np.asarray(radius + 0.10 * wobble + 40 * edge**2, dtype=np.float32)
    at_spot = sample(height, grid.xy)
    level = np.quantile(at_spot, TISSUE_SHARE)
    keep = at_spot <= level
    tissue = np.clip((level - height) / 0.012 + 0.5, 0, 1).astype(np.float32)
    return tissue, SpotGrid(grid.xy[keep], grid.row[keep], grid.col[keep])


def region_weights(rng: np.random.Generator, side: int) -> Floats:
    """Return soft region weights (4, side, side), in the order of `REGIONS`, summing to 1."""
    # Lymphoid aggregates are small on purpose: whether one lies nearby is then poorly
    # told by the spot's own patch, which is what the neighbourhood genes need.
    scores = [
        np.zeros((side, side), np.float32),
        smooth_field(rng, side, 90.0) + np.float32(rng.uniform(-0.2, 0.2)),
        smooth_field(rng, side, 42.0) - np.float32(rng.uniform(0.9, 1.2)),
        smooth_field(rng, side, 70.0) - np.float32(rng.uniform(1.1, 1.4)),
    ]
    scores[2:] = [2.5 * score for score in scores[2:]]
    power = np.exp(np.clip(np.stack(scores) / 0.12, -30, 30))
    return np.asarray(power / power.sum(axis=0), dtype=np.float32)


def plan_layout(rng: np.random.Generator, spots_per_side: int) -> Layout:
    """Draw the plan of one section; its square image holds the grid plus a margin."""
    side = int(np.ceil((spots_per_side * PITCH_UM + 2 * MARGIN_UM) / FIELD_UM))
    tissue, spots = tissue_outline(rng, side, hexagonal_grid(spots_per_side))
    regions = region_weights(rng, side)
    density, size, elongation = (smooth_field(rng, side, um) for um in (55.0, 75.0, 75.0))
    angle = np.asarray(1.6 * smooth_field(rng, side, 110.0), dtype=np.float32)
    return Layout(side * FIELD_STEP, tissue, regions, density, size, elongation, angle, spots)
