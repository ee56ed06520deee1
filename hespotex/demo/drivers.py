"""What the planted genes depend on: per-spot morphology, region and neighbourhood features."""

import cv2
import numpy as np
from scipy.spatial import cKDTree

from hespotex.demo.layout import (
    FIELD_STEP,
    FIELD_UM,
    MPP,
    SPOT_UM,
    Doubles,
    Floats,
    Layout,
    sample,
)
from hespotex.demo.nuclei import Nuclei

PATCH_RADIUS_UM = 50.0
RING_UM = (110.0, 280.0)  # starts outside the 112 um patch an image encoder usually sees
# Centre and scale of each feature over many demo sections. Constants, so that a gene means the
# same thing in every section, also in one that stands alone.
MORPHOLOGY = (np.array([3.25, 1.34, 0.45]), np.array([0.59, 0.21, 0.25]))
REGION = (np.array([0.41, 0.41, 0.11, 0.07]), np.array([0.41, 0.42, 0.26, 0.23]))
RING = (np.array([0.40, 0.11, 0.07, 1.29]), np.array([0.19, 0.067, 0.07, 0.11]))


def _disc(radius_um: float) -> Floats:
    reach = int(np.ceil(radius_um / FIELD_UM))
    axis = np.arange(-reach, reach + 1, dtype=np.float32) * np.float32(FIELD_UM)
    return np.asarray(axis[None] ** 2 + axis[:, None] ** 2 <= radius_um**2, dtype=np.float32)


def _total(field: Floats, radius_um: float) -> Floats:
    out = cv2.filter2D(field, cv2.CV_32F, _disc(radius_um), borderType=cv2.BORDER_CONSTANT)
    return np.asarray(out, dtype=np.float32)


def _ring_total(field: Floats) -> Floats:
    return np.asarray(_total(field, RING_UM[1]) - _total(field, RING_UM[0]), dtype=np.float32)


def _standardise(raw: Doubles, centre: Doubles, scale: Doubles) -> Doubles:
    return np.asarray(np.clip((raw - centre) / scale, -2.5, 2.5), dtype=np.float64)


def morphology(layout: Layout, nuclei: Nuclei) -> Doubles:
    """Return standardised log count, log mean radius and log mean elongation, (n_spots, 3).

    Measured on the nuclei really drawn within 50 um of the spot's centre.
    """
    near = cKDTree(nuclei.xy).query_ball_point(layout.spots.xy, PATCH_RADIUS_UM / MPP)
    count = np.array([len(index) for index in near])
    owner = np.repeat(np.arange(len(near)), count)
    index = np.concatenate([np.asarray(i, dtype=np.int64) for i in near])
    traits = np.log(np.stack([nuclei.radius * MPP, nuclei.elongation], axis=1))[index]
    sums = np.stack([np.bincount(owner, t, len(near)) for t in traits.T], axis=1)
    centre = MORPHOLOGY[0]
    # Two pretended average nuclei keep the mean of an almost empty patch near the centre.
    means = (sums + 2 * centre[1:]) / (count[:, None] + 2)
    raw = np.column_stack([np.log(count + 2.0), means])
    return _standardise(raw, *MORPHOLOGY)


def region(layout: Layout) -> Doubles:
    """Return the share of each region under the spot's 55 um disc, (n_spots, 4), standardised."""
    shares = [sample(_total(r, SPOT_UM / 2), layout.spots.xy) for r in layout.regions]
    stacked = np.stack(shares, axis=1)
    return _standardise(stacked / stacked.sum(axis=1, keepdims=True), *REGION)


def neighbourhood(layout: Layout, nuclei: Nuclei) -> Doubles:
    """Return standardised features of the ring 110 to 280 um around each spot, (n_spots, 4).

    Tissue shares of tumour, lymphoid and adipose, and the mean log radius of the nuclei.
    """
    xy = layout.spots.xy
    tissue = layout.tissue
    area = np.maximum(sample(_ring_total(tissue), xy), 1.0)
    shares = [sample(_ring_total(tissue * r), xy) / area for r in layout.regions[1:]]
    at = np.clip((nuclei.xy / FIELD_STEP).astype(np.int64), 0, len(tissue) - 1)
    maps = np.zeros((2, *tissue.shape), dtype=np.float32)
    np.add.at(maps[0], (at[:, 1], at[:, 0]), 1)
    np.add.at(maps[1], (at[:, 1], at[:, 0]), np.log(nuclei.radius * MPP))
    number, total = (sample(_ring_total(m), xy) for m in maps)
    raw = np.column_stack([*shares, (total + RING[0][3]) / (number + 1)])
    return _standardise(raw, *RING)
