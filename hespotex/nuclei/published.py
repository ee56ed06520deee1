"""The count of the released code."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hespotex.common.files import file_fingerprint
from hespotex.nuclei.files import section_file
from hespotex.nuclei.masks import open_npy
from hespotex.sections.patches import published_box
from hespotex.sections.section import Section


class PublishedMaskCounter:
    """Distinct labels of a nuclei mask inside the spot's patch, the background among them and cut
    nuclei whole.

    Args:
        folder: holds `{section_id}.npy`, an integer mask with the pixels of the image, 0 for
          background.
    """

    name = "nuclei-published-mask"

    def __init__(self, folder: str) -> None:
        self.folder = Path(folder)

    def identity(self, section: Section) -> dict[str, Any]:
        """Hash of the mask, and the spot diameter, which sets the size of the patch."""
        return {
            "mask": file_fingerprint(self._path(section)),
            "spot_diameter_um": section.spot_diameter_um,
        }

    def __call__(self, section: Section) -> NDArray[np.float32]:
        """Distinct labels in each spot's patch, (n_spots,); the patch is as wide as the spot.

        Raises:
            InputError: no mask of this section.
        """
        mask = open_npy(self._path(section))
        diameter = section.spot_diameter_um / section.mpp
        size = (mask.shape[1], mask.shape[0])
        boxes = [published_box(x, y, diameter, size) for x, y in section.pos_px]
        return np.array(
            [len(np.unique(mask[top:bottom, left:right])) for left, top, right, bottom in boxes],
            dtype=np.float32,
        )

    def _path(self, section: Section) -> Path:
        return section_file(self.folder, ("ID.npy",), section.section_id, "nuclei.counter.folder")
