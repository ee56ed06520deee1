"""The unit of each patch statistic of the catalogue."""

from fnmatch import fnmatchcase

from hespotex.histology.catalogue import FEATURES

DENSITY = "optical density"
NUMBER = "log(1 + n per mm2 / 100)"
ROOT = "root of a share"
SCALE = "0-1"
PATTERNS = {  # the first that a name fits tells
    "*_correlation": "correlation",
    "he_band?": "correlation",
    "?_band?": "root of optical density",
    "h_lbp?": ROOT,
    "?_glcm_contrast": "log(1 + contrast)",
    "*_homogeneity": SCALE,
    "*_energy": SCALE,
    "*_gradient": "log of squared gradient",
    "*_coherence_*": SCALE,
    "*_anisotropy": SCALE,
    "[lab]_*": SCALE,
    "*saturation*": SCALE,
    "hole_fraction": ROOT,
    "blood_fraction": ROOT,
    "dark_fraction": ROOT,
    "*_fraction": "share",
    "*_density": NUMBER,
    "*_area*": "log of um2",
    "*_elongation_*": "log of a ratio",
    "neighbour_mean": "log of um",
    "neighbour_std": "log(1 + um)",
    "regularity": "ratio",
    "centre_white": "share",
    "centre_nuclear": "share",
    "centre_blood": "share",
}


def _unit(name: str) -> str:
    return next((unit for like, unit in PATTERNS.items() if fnmatchcase(name, like)), DENSITY)


UNITS: dict[str, str] = {name: _unit(name) for name in FEATURES}
