"""Against the dots of pathologists. The limits lie a little under what was measured."""

from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

from hespotex.histology import detect_nuclei

MPP = 0.5
REACH_UM = 3.0


def _hits(found: np.ndarray, truth: np.ndarray) -> int:
    distance = cdist(found, truth) * MPP
    rows, columns = linear_sum_assignment(np.where(distance <= REACH_UM, distance, 1e3))
    return int((distance[rows, columns] <= REACH_UM).sum())


def _measure(folder: Path) -> np.ndarray:
    """(20, 3) number found, number true, number matched, one row per tile."""
    dots = pd.read_csv(folder / "dots.csv")
    rows = []
    for name, truth in dots.groupby("image"):
        bgr = cv2.imread(str(folder / "images" / str(name)))
        assert bgr is not None
        rgb = np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), dtype=np.uint8)
        found = detect_nuclei(rgb, MPP).centroids
        rows.append((len(found), len(truth), _hits(found, truth[["x", "y"]].to_numpy())))
    return np.array(rows)


def test_counts_and_places_on_breast_tiles(breast_tiles: Path) -> None:
    found, truth, hits = _measure(breast_tiles).T
    assert np.corrcoef(found, truth)[0, 1] > 0.95
    assert np.median(np.abs(found - truth) / truth) < 0.10
    assert 2 * hits.sum() / (found.sum() + truth.sum()) > 0.785
