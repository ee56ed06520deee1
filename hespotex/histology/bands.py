"""Detail of both stains at several sizes: differences of Gaussians at fixed lengths in um."""

import cv2
import numpy as np

from hespotex.histology.patch import Floats, blur, halve

BANDS_UM = (0.8, 1.6, 3.2, 6.4, 12.8)


def band_features(stains: Floats, mpp: float) -> dict[str, float]:
    """(height, width, 2) densities -> spread of each stain in each band, and their agreement."""
    before = BANDS_UM[0]
    fine = blur(stains, before, mpp)
    features: dict[str, float] = {}
    for i, um in enumerate(BANDS_UM[1:]):
        # Variances of Gaussians add, so each smoothing goes on from the last.
        coarse = blur(fine, float(np.sqrt(um**2 - before**2)), mpp)
        features.update(_band(i, fine - coarse))
        fine = coarse
        before = um
        if um > 2 * mpp:  # smooth enough to go on with a quarter of the pixels
            fine = halve(coarse)
            mpp = 2 * mpp
    return {**features, **_band(len(BANDS_UM) - 1, fine)}


def _band(number: int, band: Floats) -> dict[str, float]:
    (mean_h, mean_e), (std_h, std_e) = (np.ravel(m) for m in cv2.meanStdDev(band))
    covariance = float(np.mean(band[..., 0] * band[..., 1]) - mean_h * mean_e)
    return {
        f"h_band{number}": float(np.sqrt(std_h)),
        f"e_band{number}": float(np.sqrt(std_e)),
        # The small constant keeps a flat patch at 0.
        f"he_band{number}": covariance / float(std_h * std_e + 1e-6),
    }
