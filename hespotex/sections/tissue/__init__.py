"""Where the tissue is on a slide: found by colour at low power, or given by the user."""

import logging
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from hespotex.common.typed_paths import typed_path
from hespotex.sections.images import open_image
from hespotex.sections.tissue.find import find_tissue
from hespotex.sections.tissue.given import Frame, mask_file, read_tissue
from hespotex.sections.tissue.mask import Tissue, tissue_fraction

log = logging.getLogger(__name__)
LEAST_STAINED = 0.5  # of the share of the slide that is marked
__all__ = ["Frame", "Tissue", "find_tissue", "read_tissue", "slide_tissue", "tissue_fraction"]


def slide_tissue(
    path: Path, mpp: float, mask: str | None = None, title: str | None = None, **how: Any
) -> Tissue:
    """Tissue of the slide at `path`: from `mask` (a file, or a folder with one file a slide), else
    found (see `find_tissue`).

    Args:
        title: what the slide's file in such a folder is called; None for the slide's own name.

    Raises:
        InputError: a slide or a mask that cannot be used.
    """
    image = open_image(path)
    if not mask:
        return find_tissue(image, mpp, **how)
    file = mask_file(typed_path(mask), title or path.stem)
    tissue = read_tissue(file, image.size, Frame(image.origin, image.scanned))
    _warn_of_glass(tissue, find_tissue(image, mpp, **how), file)
    return tissue


def _warn_of_glass(user_tissue: Tissue, stained: Tissue, file: Path) -> None:
    """Say so where the user's mask holds less of what is stained than of the rest."""
    height, width = stained.mask.shape
    marked = (
        cv2.resize(
            user_tissue.mask.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST
        )
        > 0
    )
    if stained.mask.any() and marked[stained.mask].mean() < LEAST_STAINED * marked.mean():
        log.warning(
            "%s: the mask leaves out %.0f%% of what is stained and marks %.0f%% of the slide: is it"
            " the wrong way round, or of another slide?",
            *(file, 100 * (1 - marked[stained.mask].mean()), 100 * marked.mean()),
        )
