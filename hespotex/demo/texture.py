"""Textures: fibres along an orientation field, fat cells and plain grain."""

import cv2
import numpy as np

from hespotex.demo.layout import MPP, Doubles, Floats, Layout, blur, upsample

FIBRE_STEPS = 9  # convolution steps to either side, about 2 px each at half resolution


def _unit(field: Floats) -> Floats:
    return np.asarray((field - field.mean()) / field.std(), dtype=np.float32)


def grain(rng: np.random.Generator, size_px: int, sigma_px: float) -> Floats:
    """Return smooth noise (size_px, size_px), zero mean and unit variance."""
    # Coarse grain is drawn on a coarse grid: the same look for a fraction of the time.
    step = max(1, int(sigma_px // 2))
    side = -(-size_px // step)
    noise = blur(rng.standard_normal((side, side), dtype=np.float32), sigma_px / step)
    return _unit(upsample(noise, size_px))


def fibres(rng: np.random.Generator, angle: Floats, size_px: int) -> Floats:
    """Smear noise along `angle` (line integral convolution); return (size_px, size_px)."""
    half = size_px // 2
    direction = upsample(angle, half)
    dx = 2 * np.cos(direction)
    dy = 2 * np.sin(direction)
    noise = blur(rng.standard_normal((half, half), dtype=np.float32), 0.8)
    rows, cols = np.mgrid[:half, :half].astype(np.float32)
    total = noise.copy()
    for step in range(1, FIBRE_STEPS + 1):
        for sign in (-step, step):
            # Straight steps are enough: the orientation hardly turns within 30 px.
            x = cols + sign * dx
            y = rows + sign * dy
            total += cv2.remap(noise, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    return upsample(_unit(total), size_px)


def solid_parts(rng: np.random.Generator, layout: Layout) -> Floats:
    """Return (size_px, size_px): 0 inside the vacuoles of fatty regions, 1 elsewhere."""
    fatty = upsample(layout.regions[3], layout.size_px)
    return np.asarray(1 - fatty * (1 - fat_cells(rng, layout.size_px)), dtype=np.float32)


def _jittered(rng: np.random.Generator, size_px: int, step: float) -> Doubles:
    axis = np.arange(0, size_px + step, step)
    points = np.stack(np.meshgrid(axis, axis), axis=-1)
    points[1::2, :, 0] += step / 2
    return np.asarray(points.reshape(-1, 2) + rng.normal(0, 0.12 * step, (points.size // 2, 2)))


def fat_cells(rng: np.random.Generator, size_px: int, diameter_um: float = 42.0) -> Floats:
    """Return how solid fatty tissue is, (size_px, size_px): 0 in a vacuole, 1 on a membrane."""
    step = diameter_um / MPP
    plane = np.ones((size_px, size_px), dtype=np.float32)
    for x, y in _jittered(rng, size_px, step):
        axes = tuple(round(float(v)) for v in step * rng.uniform(0.44, 0.55, 2))
        cv2.ellipse(
            plane, (round(x), round(y)), axes, float(rng.uniform(0, 180)), 0, 360, (0.04,), -1
        )
    return blur(plane, 1.0)
