"""Where the tissue is on a slide: found by colour at low power, or given by the user."""

from pathlib import Path
from typing import Any

from hespotex.data.images import open_image
from hespotex.data.tissue.find import find_tissue
from hespotex.data.tissue.given import mask_file, read_tissue
from hespotex.data.tissue.mask import Tissue, tissue_fraction

__all__ = ["Tissue", "find_tissue", "read_tissue", "slide_tissue", "tissue_fraction"]


def slide_tissue(path: Path, mpp: float, mask: str | None = None, **how: Any) -> Tissue:
    """Tissue of the slide at `path`: from `mask` (a file, or a folder with one file a slide), else found (see `find_tissue`).

    Raises:
        InputError: a slide or a mask that cannot be used.
    """
    image = open_image(path)
    return read_tissue(mask_file(Path(mask), path.stem), image.size) if mask else find_tissue(image, mpp, **how)
