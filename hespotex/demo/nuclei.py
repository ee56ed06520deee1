"""Nuclei: where they lie, how large, how long and how dark, one by one."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from hespotex.demo.layout import MPP, Doubles, Layout, sample

CANDIDATE_UM = 5.5  # spacing of the jittered lattice that nuclei are thinned from
# One value per region of `layout.REGIONS`.
PER_UM2 = np.array([0.0020, 0.0068, 0.0150, 0.0009])
RADIUS_UM = np.array([3.0, 4.9, 2.9, 2.6])
ELONGATION = np.array([2.7, 1.3, 1.08, 2.2])
SPREAD = np.array([0.12, 0.20, 0.07, 0.12])
DARKNESS = np.array([0.95, 0.85, 1.25, 0.95])


@dataclass(frozen=True)
class Nuclei:
    """All nuclei of a section, each array of length n: `xy` (n, 2) in full-resolution px.

    `radius` is the radius of the disc of equal area in px, `elongation` is long over short axis,
    `angle` in radians, `darkness` the haematoxylin amount, `region` an index into `REGIONS`.
    """

    xy: Doubles
    radius: Doubles
    elongation: Doubles
    angle: Doubles
    darkness: Doubles
    region: NDArray[np.int64]

    def take(self, keep: NDArray[np.bool_] | NDArray[np.int64]) -> "Nuclei":
        """Return the nuclei selected by a mask or an index."""
        return Nuclei(**{name: values[keep] for name, values in vars(self).items()})


def _candidates(rng: np.random.Generator, layout: Layout) -> Doubles:
    step = CANDIDATE_UM / MPP
    axis = np.arange(step / 2, layout.size_px, step)
    lattice = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    return np.asarray(lattice + rng.uniform(-step / 2, step / 2, lattice.shape))


def _thin(
    rng: np.random.Generator, layout: Layout, xy: Doubles
) -> tuple[Doubles, NDArray[np.int64]]:
    """Keep candidates by local density; return points (n, 2) and their region (n,)."""
    weights = sample(layout.regions, xy).T
    region = (weights.cumsum(axis=1) < rng.random((len(xy), 1))).sum(axis=1).clip(0, 3)
    rate = PER_UM2[region] * np.exp(0.45 * sample(layout.density, xy))
    inside = sample(layout.tissue, xy) > 0.6
    keep = inside & (rng.random(len(xy)) < rate * CANDIDATE_UM**2)
    return xy[keep], region[keep]


def _without_overlap(rng: np.random.Generator, nuclei: Nuclei) -> Nuclei:
    """Drop nuclei, in random order, that would overlap one already placed."""
    tree = cKDTree(nuclei.xy)
    pairs = tree.query_pairs(2 * float(nuclei.radius.max()), output_type="ndarray")
    gap = np.linalg.norm(nuclei.xy[pairs[:, 0]] - nuclei.xy[pairs[:, 1]], axis=1)
    pairs = pairs[gap < 0.85 * nuclei.radius[pairs].sum(axis=1)]
    rank = rng.permutation(len(nuclei.xy))
    swap = rank[pairs[:, 0]] > rank[pairs[:, 1]]
    pairs[swap] = pairs[swap][:, ::-1]
    keep = np.ones(len(nuclei.xy), dtype=bool)
    for first, second in pairs[np.argsort(rank[pairs[:, 0]], kind="stable")]:
        # By rank of the first, so its own fate is settled when it is looked at.
        if keep[first]:
            keep[second] = False
    return nuclei.take(keep)


def draw_nuclei(rng: np.random.Generator, layout: Layout) -> Nuclei:
    """Draw every nucleus of a section from its layout."""
    xy, region = _thin(rng, layout, _candidates(rng, layout))
    noise = rng.standard_normal((3, len(xy)))
    spread = SPREAD[region]
    radius = RADIUS_UM[region] / MPP * np.exp(0.16 * sample(layout.size, xy) + spread * noise[0])
    stretch = np.exp(0.4 * sample(layout.elongation, xy) + 0.25 * noise[1])
    elongation = np.clip(1 + (ELONGATION[region] - 1) * stretch, 1, 5)
    # Stromal nuclei follow the fibres; round ones lie anyhow.
    wobble = np.where(region == 0, 0.25 * noise[2], rng.uniform(0, np.pi, len(xy)))
    darkness = DARKNESS[region] * np.exp(0.6 * spread * rng.standard_normal(len(xy)))
    nuclei = Nuclei(xy, radius, elongation, sample(layout.angle, xy) + wobble, darkness, region)
    return _without_overlap(rng, nuclei)
