"""Simulated sections: what an image tells, a field that it does not tell, and noise that falls with
depth.
"""

from dataclasses import dataclass

import numpy as np
from sklearn.gaussian_process.kernels import Matern

from hespotex.kriging import Kriging, MeasuredSpots, Settings
from hespotex.kriging.field import Array
from hespotex.kriging.left_out import Numbers

PITCH = 200.0  # um


@dataclass(frozen=True)
class Simulated:
    """`image` is the image's prediction, `truth` the expression without noise."""

    pos: Array
    image: Array
    truth: Array
    measured: Array
    depth: Array

    def spots(self, which: Numbers) -> MeasuredSpots:
        return MeasuredSpots(
            self.pos[which], self.measured[which], self.depth[which], self.image[which]
        )

    def kriging(self, which: Numbers, **settings: object) -> Kriging:
        return Kriging(self.spots(which), np.ones(self.image.shape[1]), Settings(**settings))  # type: ignore[arg-type]


def simulate(seed: int, field: float, side: int = 15, n_genes: int = 40) -> Simulated:
    """A square section; `field` scales three programmes that reach 400 um and that no image
    tells.
    """
    rng = np.random.default_rng(seed)
    places = np.stack(np.meshgrid(np.arange(side), np.arange(side)), axis=-1)
    pos = PITCH * places.reshape(-1, 2).astype(float)
    n = len(pos)

    def programmes(length: float, k: int) -> Array:
        root = np.linalg.cholesky(Matern(length, nu=1.5)(pos) + 1e-8 * np.eye(n))
        return np.asarray(0.3 * root @ rng.normal(size=(n, k)) @ rng.normal(size=(k, n_genes)))

    image = programmes(150.0, 4)
    truth = image + field * programmes(400.0, 3)
    depth = rng.lognormal(8, 0.5, n)
    noise = np.sqrt(np.median(depth) / depth)[:, None] * rng.normal(size=(n, n_genes))
    return Simulated(pos, image, truth, truth + noise, depth)


def parts(section: Simulated, seed: int, share: float) -> tuple[Numbers, Numbers]:
    """Numbers of spots that are measured, at random, and of the others."""
    n = len(section.pos)
    order = np.random.default_rng(seed).permutation(n)
    return np.sort(order[: round(share * n)]), np.sort(order[round(share * n) :])


def correlation(predicted: Array, truth: Array) -> float:
    """Mean over genes; 0 for a gene that is predicted constant."""
    p = predicted - predicted.mean(axis=0)
    t = truth - truth.mean(axis=0)
    scale = np.sqrt((p**2).sum(axis=0) * (t**2).sum(axis=0))
    return float(((p * t).sum(axis=0) / np.maximum(scale, 1e-9)).mean())
