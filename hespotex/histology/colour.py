"""Colour statistics of a patch: stain densities, Lab, saturation, fractions of materials."""

import cv2
import numpy as np

from hespotex.histology.patch import Floats, Patch, mean_where

PERCENTILES = (5, 25, 50, 75, 95)


def colour_features(patch: Patch) -> dict[str, float]:
    """Statistics of colour; see the catalogue for each."""
    return {
        **_density("h", patch.haematoxylin),
        **_density("e", patch.eosin),
        **_tissue(patch),
        **_spaces(patch),
        **_materials(patch),
    }


def _density(name: str, density: Floats) -> dict[str, float]:
    mean, std = cv2.meanStdDev(density)
    # Every third pixel in both directions is plenty for a percentile.
    levels = np.percentile(density[::3, ::3], PERCENTILES)
    features = {f"{name}_mean": float(mean[0, 0]), f"{name}_std": float(std[0, 0])}
    features.update(
        {f"{name}_p{p:02d}": float(v) for p, v in zip(PERCENTILES, levels, strict=True)}
    )
    return features


def _tissue(patch: Patch) -> dict[str, float]:
    h = patch.haematoxylin
    e = patch.eosin
    (mean_h, std_h), (mean_e, std_e) = (np.ravel(cv2.meanStdDev(c)) for c in (h, e))
    covariance = float(np.mean(h * e) - mean_h * mean_e)
    return {
        "h_tissue": mean_where(h, ~patch.white),
        "e_tissue": mean_where(e, ~patch.white),
        # The small constant keeps a flat patch at 0.
        "he_correlation": covariance / float(std_h * std_e + 1e-4),
    }


def _spaces(patch: Patch) -> dict[str, float]:
    lab = cv2.cvtColor(patch.rgb, cv2.COLOR_RGB2LAB)
    images = {
        ("l", "a", "b"): lab,
        ("saturation",): patch.saturation,
    }
    features: dict[str, float] = {}
    for names, image in images.items():
        for name, mean, std in zip(names, *map(np.ravel, cv2.meanStdDev(image)), strict=True):
            features[f"{name}_mean"], features[f"{name}_std"] = float(mean / 255), float(std / 255)
    return features


def _materials(patch: Patch) -> dict[str, float]:
    h = patch.haematoxylin
    e = patch.eosin
    white = patch.white
    side = max(2 * round(4 / patch.mpp) + 1, 3)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    holes = cv2.morphologyEx(white.view(np.uint8), cv2.MORPH_OPEN, disc)
    return {
        "white_fraction": float(white.mean()),
        "hole_fraction": float(np.sqrt(holes.mean())),
        "blood_fraction": float(np.sqrt(patch.red_cells.mean())),
        "pink_fraction": float(((e > 0.2) & (h < 0.1)).mean()),
        "dark_fraction": float(np.sqrt((h > 0.5).mean())),
    }
