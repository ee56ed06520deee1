"""Rendering: nuclei and tissue texture to haematoxylin and eosin amounts, then to RGB."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from hespotex.demo.layout import Doubles, Floats, Layout, blur, upsample
from hespotex.demo.nuclei import Nuclei
from hespotex.demo.texture import fibres, grain

# Optical density per unit of stain (Macenko et al. 2009 reference), RGB.
HAEMATOXYLIN = np.array([0.56, 0.72, 0.41])
EOSIN = np.array([0.15, 0.82, 0.45])
# Background amounts, one per region of `layout.REGIONS`.
BACKGROUND_H = np.array([0.04, 0.24, 0.22, 0.02], dtype=np.float32)
BACKGROUND_E = np.array([0.50, 0.36, 0.22, 0.40], dtype=np.float32)
SHIFT = 4  # fractional bits of cv2's fixed-point coordinates
N_VERTICES = 20


@dataclass(frozen=True)
class Stain:
    """Stain of one patient: `vectors` (2, 3) optical density of H and E, `strength` (2,)."""

    vectors: Doubles
    strength: Doubles


def patient_stain(rng: np.random.Generator) -> Stain:
    """Draw the staining of one patient's laboratory day: hue and strength move moderately."""
    vectors = np.stack([HAEMATOXYLIN, EOSIN]) + rng.normal(0, 0.035, (2, 3))
    vectors = np.clip(vectors, 0.03, None)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return Stain(vectors, rng.uniform([0.95, 0.75], [1.35, 1.15]))


def nucleus_polygons(rng: np.random.Generator, nuclei: Nuclei) -> Doubles:
    """Return outlines (n, 20, 2) in px: ellipses of the nucleus' area, dented a little."""
    turn = np.linspace(0, 2 * np.pi, N_VERTICES, endpoint=False)
    phase = rng.uniform(0, 2 * np.pi, (2, len(nuclei.xy), 1))
    dents = 1 + 0.05 * np.cos(2 * turn + phase[0]) + 0.05 * np.cos(3 * turn + phase[1])
    stretch = np.sqrt(nuclei.elongation)[:, None]
    along = nuclei.radius[:, None] * dents * np.cos(turn) * stretch
    across = nuclei.radius[:, None] * dents * np.sin(turn) / stretch
    cos = np.cos(nuclei.angle)[:, None]
    sin = np.sin(nuclei.angle)[:, None]
    outline = np.stack([along * cos - across * sin, along * sin + across * cos], axis=-1)
    return np.asarray(outline + nuclei.xy[:, None])


def stamp_nuclei(rng: np.random.Generator, nuclei: Nuclei, size_px: int) -> Floats:
    """Draw every nucleus, with a darker rim and nucleoli; return haematoxylin (size, size)."""
    plane = np.zeros((size_px, size_px), dtype=np.uint8)
    points = np.round(nucleus_polygons(rng, nuclei) * 2**SHIFT).astype(np.int32)
    value = np.clip(nuclei.darkness * 120, 20, 220)
    for outline, level in zip(points, value, strict=True):
        cv2.fillPoly(plane, [outline], (0.85 * level,), cv2.LINE_AA, SHIFT)
        cv2.polylines(plane, [outline], True, (1.1 * level,), 1, cv2.LINE_AA, SHIFT)
    tumour = nuclei.take(nuclei.region == 1)
    offset = rng.normal(0, 0.25, tumour.xy.shape) * tumour.radius[:, None]
    centres = np.round((tumour.xy + offset) * 2**SHIFT).astype(int)
    for (x, y), radius in zip(centres, tumour.radius, strict=True):
        size = round(float(radius) * 0.2 * 2**SHIFT)
        cv2.circle(plane, (int(x), int(y)), size, (150.0,), -1, cv2.LINE_AA, SHIFT)
    return np.asarray(plane, dtype=np.float32) / np.float32(120)


def stain_amounts(
    rng: np.random.Generator, layout: Layout, nuclei: Nuclei, solid: Floats
) -> tuple[Floats, Floats]:
    """Return the amounts of haematoxylin and eosin, each (size_px, size_px).

    `solid` (size_px, size_px) is 0 inside a fat vacuole and 1 elsewhere.
    """
    size = layout.size_px
    tissue = upsample(layout.tissue, size)
    stroma = upsample(layout.regions[0], size)
    flat = [np.tensordot(b, layout.regions, 1) for b in (BACKGROUND_H, BACKGROUND_E)]
    haem, eosin = (upsample(np.asarray(plane, dtype=np.float32), size) for plane in flat)
    fibre = fibres(rng, layout.angle, size)
    eosin *= 1 + stroma * 0.34 * fibre + 0.16 * (1 - stroma) * grain(rng, size, 2.0)
    eosin *= 1 + 0.12 * grain(rng, size, 12.0)
    haem *= 1 + 0.3 * grain(rng, size, 3.0)
    nuclear = stamp_nuclei(rng, nuclei, size)
    covered = np.clip(nuclear * 2, 0, 1)
    nuclear *= 1 + 0.16 * grain(rng, size, 1.2)
    eosin *= 1 - 0.5 * covered
    haem *= 1 - covered
    base = np.clip(tissue * solid, 0, 1)
    return haem * base + nuclear, np.clip(eosin, 0, None) * base


def render(
    rng: np.random.Generator, layout: Layout, nuclei: Nuclei, solid: Floats, stain: Stain
) -> NDArray[np.uint8]:
    """Return the section's image (size_px, size_px, 3) uint8, through Beer-Lambert's law."""
    haem, eosin = stain_amounts(rng, layout, nuclei, solid)
    vectors = (stain.vectors * stain.strength[:, None]).astype(np.float32)
    amounts = blur(np.stack([haem, eosin], axis=-1), float(rng.uniform(0.5, 0.8)))
    glass = 255 * rng.uniform(0.92, 0.97) * np.array([1.0, 0.995, 1.0])
    image = np.exp(-amounts @ vectors) * glass.astype(np.float32)
    image += rng.normal(0, 1.2, (*image.shape[:2], 1)).astype(np.float32)
    return np.asarray(np.clip(np.round(image), 0, 255), dtype=np.uint8)
