"""What can be read from H&E pixels without learned weights: stains, nuclei, patch statistics."""

from hespotex.histology.features import FEATURE_NAMES, patch_features
from hespotex.histology.nuclei import DetectorSettings, detect_nuclei, label_nuclei
from hespotex.histology.shapes import Nuclei
from hespotex.histology.stain import stain_density

__all__ = [
    "FEATURE_NAMES",
    "DetectorSettings",
    "Nuclei",
    "detect_nuclei",
    "label_nuclei",
    "patch_features",
    "stain_density",
]
