"""Lay one section over another of the same tissue, by what their images show."""

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

Array = NDArray[np.float64]
TURNS = 36  # rotations about the centroid that are tried first
BEST = 4  # of them are refined
ROUNDS = 5  # of refinement, each with half the step
STEPS = list(product((-1, 0, 1), repeat=3))


@dataclass(frozen=True)
class Rigid:
    """Rotation by `angle` (radians) about the origin, then a shift; no mirror image and no
    scaling.
    """

    angle: float = 0.0
    x: float = 0.0
    y: float = 0.0

    def __call__(self, pos: Array) -> Array:
        """(n, 2) -> (n, 2)"""
        cos = np.cos(self.angle)
        sin = np.sin(self.angle)
        return pos @ np.array([[cos, sin], [-sin, cos]]) + [self.x, self.y]


@dataclass(frozen=True)
class Picture:
    """A section as registration sees it: spot centres (n, 2), and embeddings (n, d) standardised
    over its spots.
    """

    pos: Array
    embedding: Array


def register(moving: Picture, fixed: Picture, pitch: float) -> tuple[Array, float]:
    """Spot centres of `moving` in the frame of `fixed`, (n, 2), and how well the images then agree.

    Agreement is the mean product of the standardised embeddings of each spot and the nearest spot
    of the other section, 0 for a spot that has none within one pitch: 1 for the same image, about 0
    for unrelated ones. Rotations about the centroids are tried all round, and the best are refined
    in angle and shift.
    """
    start = moving.pos - moving.pos.mean(axis=0)
    tree = cKDTree(fixed.pos - fixed.pos.mean(axis=0))

    def agreement(move: Rigid) -> float:
        distance, nearest = tree.query(move(start), distance_upper_bound=pitch)
        met = np.isfinite(distance)
        return float(
            (moving.embedding[met] * fixed.embedding[nearest[met]]).mean(axis=1).sum() / len(start)
        )

    turns = [Rigid(2 * np.pi * i / TURNS) for i in range(TURNS)]
    best: dict[Rigid, float] = {}
    for move in sorted(turns, key=agreement, reverse=True)[:BEST]:
        angle = np.pi / TURNS
        shift = 2 * pitch
        for _ in range(ROUNDS):
            tried = [
                Rigid(move.angle + a * angle, move.x + x * shift, move.y + y * shift)
                for a, x, y in STEPS
            ]
            move = max(tried, key=agreement)
            angle = angle / 2
            shift = shift / 2
        best[move] = agreement(move)
    move = max(best, key=best.__getitem__)
    return move(start) + fixed.pos.mean(axis=0), best[move]
