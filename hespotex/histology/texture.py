"""Texture statistics of a patch, the same for all flips and quarter turns of it."""

import cv2
import numpy as np
from numpy.typing import NDArray

from hespotex.histology.bands import band_features
from hespotex.histology.cooccurrence import co_occurrence, properties
from hespotex.histology.patch import Floats, Patch, blur, halve

GLCM_LEVELS = 12
GLCM_STEP_UM = 2.0
# half a nucleus: about edges of nuclei, not grain
LBP_STEP_UM = 4.0
LBP_SMOOTH_UM = 1.5
# Where a grey level of co-occurrence is full: nearly all densities are below.
TOP_DENSITY = {"h": 0.8, "e": 0.6}


def texture_features(patch: Patch) -> dict[str, float]:
    """Statistics of texture; see the catalogue for each."""
    features = band_features(np.dstack([patch.haematoxylin, patch.eosin]), patch.mpp)
    for name, density in (("h", patch.haematoxylin), ("e", patch.eosin)):
        features.update(_co_occurrence(name, density, patch.mpp))
        features.update(_orientation(name, density, patch.mpp))
    features.update(_binary_patterns(patch.haematoxylin, patch.mpp))
    return features


def _co_occurrence(name: str, density: Floats, mpp: float) -> dict[str, float]:
    scaled = blur(density, 0.5, mpp) * np.float32(GLCM_LEVELS / TOP_DENSITY[name])
    grey = np.clip(scaled, 0, GLCM_LEVELS - 1).astype(np.uint8)
    values = properties(co_occurrence(grey, GLCM_LEVELS, max(round(GLCM_STEP_UM / mpp), 1)))
    values["contrast"] = float(np.log1p(values["contrast"]))
    return {f"{name}_glcm_{key}": value for key, value in values.items()}


def _orientation(name: str, density: Floats, mpp: float) -> dict[str, float]:
    """Structure tensor: gradient energy, and how far gradients agree locally and overall."""
    smooth = blur(density, 1.0, mpp)
    dx, dy = (cv2.Sobel(smooth, cv2.CV_32F, i, 1 - i, scale=0.125 / mpp) for i in (1, 0))
    energy = dx * dx + dy * dy
    cosine = dx * dx - dy * dy
    sine = 2 * dx * dy
    if mpp < 1:
        mpp = 2 * mpp
        tensor = [halve(t) for t in (energy, cosine, sine)]
    else:
        tensor = [energy, cosine, sine]
    local = [blur(t, 6.0, mpp) for t in tensor]
    # A noise level: where nothing changes there is no direction.
    coherence = cv2.magnitude(local[1], local[2]) / (local[0] + np.float32(1e-4))
    total = float(energy.mean())
    overall = float(np.hypot(cosine.mean(), sine.mean())) / (total + 1e-4)
    return {
        f"{name}_gradient": float(np.log(total + 1e-4)),
        f"{name}_coherence_mean": float(coherence.mean()),
        f"{name}_coherence_std": float(coherence.std()),
        f"{name}_anisotropy": overall,
    }


def _binary_patterns(density: Floats, mpp: float) -> dict[str, float]:
    """Histogram of rotation-invariant uniform local binary patterns (Ojala et al. 2002)."""
    step = max(round(LBP_STEP_UM / mpp), 1)
    smooth = blur(density, LBP_SMOOTH_UM, mpp)
    if min(smooth.shape) <= 2 * step:
        smooth = np.asarray(np.pad(smooth, step, mode="edge"))
    ring = [(-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1)]
    middle = _shifted(smooth, 0, 0, step) + np.float32(0.01)  # above noise, so flat is code 0
    above = [(_shifted(smooth, r, c, step) > middle).view(np.uint8) for r, c in ring]
    ones = sum(above[1:], above[0])
    changes = sum((a ^ b for a, b in zip(above[1:], above, strict=False)), above[0] ^ above[-1])
    code = np.where(changes <= 2, ones, np.uint8(9))
    share = np.bincount(code.ravel(), minlength=10) / code.size
    return {f"h_lbp{i}": float(np.sqrt(s)) for i, s in enumerate(share)}


def _shifted(image: Floats, row: int, column: int, step: int) -> NDArray[np.float32]:
    height, width = image.shape
    top = step * (1 + row)
    left = step * (1 + column)
    return image[top : height - 2 * step + top, left : width - 2 * step + left]
