"""Statistics of the nuclei of a patch and of what surrounds them."""

import cv2
import numpy as np
from scipy.spatial import cKDTree

from hespotex.histology.patch import Floats, Mask, Patch, mean_where, ratio

# Of breast: lymphocytes are 5-8 um across and dense, most tumour nuclei are above 9 um.
SMALL_UM2 = 40.0
LARGE_UM2 = 80.0
ROUND = 1.5
LONG = 2.2
DENSE = 0.45
CYTOPLASM_UM = 2.5


def cell_features(patch: Patch) -> dict[str, float]:
    """Statistics of nuclei; see the catalogue for each. All are 0 without nuclei."""
    return {**_number(patch), **_shape(patch), **_kinds(patch), **_spacing(patch), **_stain(patch)}


def density_per_mm2(count: float, area_mm2: float) -> float:
    """Log of nuclei per mm2 (1,000 and 10,000 are sparse and crowded tissue)."""
    return float(np.log1p(count / max(area_mm2, 1e-9) / 100))


def _number(patch: Patch) -> dict[str, float]:
    inside = float(patch.nuclear.mean())
    tissue = 1 - float(patch.white.mean())
    return {
        "nuclei_density": density_per_mm2(len(patch.nuclei), patch.area_mm2),
        "nuclei_area_fraction": inside,
        "nuclei_tissue_fraction": min(ratio(inside, tissue), 1.0),
    }


def _shape(patch: Patch) -> dict[str, float]:
    names = ("mean", "std", "p10", "p50", "p90")
    area = _summary(np.log(np.maximum(patch.nuclei.area_um2, 1)))
    long = _summary(np.log(patch.nuclei.elongation))
    return {
        **{f"nuclei_area_{n}": v for n, v in zip(names, area, strict=True)},
        **{f"nuclei_elongation_{n}": long[i] for i, n in ((0, "mean"), (1, "std"), (4, "p90"))},
    }


def _summary(values: Floats) -> list[float]:
    """Mean, standard deviation, 10th, 50th and 90th percentile; zeros for no values."""
    if not len(values):
        return [0.0] * 5
    return [*_mean_and_std(values), *np.percentile(values, [10, 50, 90]).tolist()]


def _mean_and_std(values: Floats) -> tuple[float, float]:
    """Zeros for no values."""
    return (float(values.mean()), float(values.std())) if len(values) else (0.0, 0.0)


def _kinds(patch: Patch) -> dict[str, float]:
    """How many are of a kind; soft limits, so that one pixel more does not move a nucleus."""
    n = patch.nuclei
    small = _above(SMALL_UM2 - n.area_um2, 6.0)
    dense = _above(n.haematoxylin - DENSE, 0.05)
    kinds = {
        "lymphoid": small * dense * _above(ROUND - n.elongation, 0.15),
        "large": _above(n.area_um2 - LARGE_UM2, 10.0),
        "long": _above(n.elongation - LONG, 0.2),
    }
    features: dict[str, float] = {}
    for name, membership in kinds.items():
        number = float(membership.sum())
        features[f"{name}_fraction"] = ratio(number, len(n))
        features[f"{name}_density"] = density_per_mm2(number, patch.area_mm2)
    return features


def _above(excess: Floats, width: float) -> Floats:
    """0 well below zero, 1 well above it."""
    return np.asarray(0.5 + 0.5 * np.tanh(excess / (2 * width)), dtype=np.float32)


def _spacing(patch: Patch) -> dict[str, float]:
    """Distances between neighbours; a lone nucleus has none, and counts as the side of a patch."""
    points = patch.nuclei.centroids * patch.mpp
    side = float(np.sqrt(patch.area_mm2)) * 1e3
    if len(points) < 2:
        return {"neighbour_mean": float(np.log1p(side)), "neighbour_std": 0.0, "regularity": 0.0}
    nearest = cKDTree(points).query(points, k=2)[0][:, 1]
    # Clark and Evans 1954: 1 for random places, below 1 for clusters.
    random = 0.5 / np.sqrt(len(points) / side**2)
    return {
        "neighbour_mean": float(np.log1p(nearest.mean())),
        "neighbour_std": float(np.log1p(nearest.std())),
        "regularity": float(nearest.mean() / random),
    }


def _stain(patch: Patch) -> dict[str, float]:
    nuclear = patch.nuclear
    around = _around(nuclear, patch.mpp)
    mean, std = _mean_and_std(patch.nuclei.haematoxylin)
    h_around = mean_where(patch.haematoxylin, around)
    return {
        "nuclei_h_mean": mean,
        "nuclei_h_std": std,
        "nuclei_h_texture": _mean_and_std(patch.nuclei.haematoxylin_std)[0],
        "nuclei_e": mean_where(patch.eosin, nuclear),
        "cytoplasm_h": h_around,
        "cytoplasm_e": mean_where(patch.eosin, around),
        "nuclei_h_contrast": mean - h_around,
        "stroma_e": mean_where(patch.eosin, ~(nuclear | around | patch.white)),
    }


def _around(nuclear: Mask, mpp: float) -> Mask:
    side = max(2 * round(CYTOPLASM_UM / mpp) + 1, 3)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    return np.asarray(cv2.dilate(nuclear.view(np.uint8), disc) > 0) & ~nuclear
