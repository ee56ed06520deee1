"""The field's most common error: a downsampled picture in the place of the microscope image."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hespotex.common.errors import InputError
from hespotex.sections.images import image_facts
from hespotex.sections.readers.pictures import KEY
from hespotex.sections.readers.spaceranger.find import find_file

PICTURES = (  # what spatial/ holds; none is full resolution
    "tissue_hires_image",
    "tissue_lowres_image",
    "aligned_fiducials",
    "aligned_tissue_image",
    "detected_tissue_image",
    "cytassist_image",
)


def check_full_resolution(
    section_id: str,
    image: Path,
    size: tuple[int, int],
    outs: Path,
    scale: dict[str, Any],
    pos_px: NDArray[np.float64],
) -> None:
    """Refuse Space Ranger's own pictures.

    Args:
        image, size: the image given, and its width and height in px.
        outs: folder with `spatial/`; scale: its scale factors.
        pos_px: spot centres (n_spots, 2) in full-resolution px.

    Raises:
        InputError: telling the size that the microscope image should have.
    """
    hires = find_file(outs, "tissue_hires_image.png")
    factor = _factor(scale)
    extent = pos_px.max(axis=0)
    expected = np.array(image_facts(hires)[0]) / factor if hires and factor < 1 else extent
    has_their_name = image.stem.endswith(PICTURES) and factor < 1
    small = bool((extent > size).any()) and max(size) < 0.9 * expected.max()
    if has_their_name or small:
        raise InputError(
            f"{section_id}: {image} of {size[0]} x {size[1]} px is a downsampled picture, such as"
            " Space Ranger's tissue_hires_image.png: the spots were placed on an image of about"
            f" {expected[0]:.0f} x {expected[1]:.0f} px{'' if hires else ' or more'}; set {KEY} to"
            " that microscope image, the one that spaceranger was given"
        )


def _factor(scale: dict[str, Any]) -> float:
    """Hires px per full-resolution px."""
    try:
        factor = float(scale.get("tissue_hires_scalef", 1))
    except (TypeError, ValueError):
        return 1.0
    return factor if factor > 0 else 1.0
