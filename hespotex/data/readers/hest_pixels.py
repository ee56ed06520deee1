"""Where the pixels of a HEST-1k section are, and where its spots are on the array."""

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from hespotex.data.patches import stored_barcodes
from hespotex.data.section import Section
from hespotex.errors import InputError

log = logging.getLogger(__name__)
SOURCES = ("auto", "wsis", "patches")
IMAGES = (".tif", ".tiff", ".btf", ".svs")


def find_image(root: Path, section_id: str, source: str) -> Path | None:
    """`wsis/{id}.tif` or the like; None where patches are the source.

    Raises:
        InputError: `source` is "wsis" and there is none.
    """
    paths = [root / "wsis" / f"{section_id}{suffix}" for suffix in IMAGES]
    found = [path for path in paths if source != "patches" and path.is_file()]
    if not found and source == "wsis":
        raise InputError(f"{section_id}: no image: expected {paths[0]}; or set data.reader.source=patches")
    return found[0] if found else None


def array_coordinates(obs: Any, technology: str) -> tuple[NDArray[np.float64] | None, tuple[float, float]]:
    """Array columns and rows, and the step between neighbours: Visium spots of one row are 2 columns apart."""
    if not {"array_row", "array_col"} <= set(obs.columns):
        return None, (1.0, 1.0)
    array = obs[["array_col", "array_row"]].to_numpy(dtype=float)
    visium = technology.lower() == "visium"
    return (array if np.isfinite(array).all() else None), ((2.0, 0.0) if visium else (1.0, 1.0))


def with_patches(section: Section, path: Path) -> Section:
    """The section with HEST's stored patches as its image, and only the spots that have one."""
    if not path.is_file():
        raise InputError(f"{section.section_id}: no image: expected wsis/{section.section_id}.tif or {path}")
    try:
        with h5py.File(path) as file:
            stored = set(stored_barcodes(file))
    except (OSError, KeyError) as error:
        raise InputError(f"{path}: cannot be read as HEST patches ({error}); is the file whole?") from error
    keep = np.array([barcode in stored for barcode in section.barcodes])
    if not keep.any():
        raise InputError(f"{section.section_id}: no barcode of {path} is among the spots of st/{section.section_id}.h5ad")
    log.info("%s: %d of %d spots have a stored patch", section.section_id, keep.sum(), len(keep))
    return replace(section.keep(keep), patches=path)
