"""Where the pixels of a HEST-1k section are, and where its spots are on the array."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hespotex.common.errors import InputError

SOURCES = ("auto", "wsis", "patches")
IMAGES = (".tif", ".tiff", ".btf", ".svs")


def find_image(root: Path, section_id: str, source: str) -> Path | None:
    """`wsis/{id}.tif` or the like; None where patches are the source.

    Raises:
        InputError: `source` is "wsis" and there is none, or there are several.
    """
    paths = [root / "wsis" / f"{section_id}{suffix}" for suffix in IMAGES]
    images = [path for path in paths if source != "patches" and path.is_file()]
    if not images and source == "wsis":
        raise InputError(
            f"{section_id}: no image: expected {paths[0]}; or set data.reader.source=patches"
        )
    if len(images) > 1:
        names = ", ".join(path.name for path in images)
        raise InputError(
            f"{section_id}: expected one image in {root / 'wsis'}, found {names}; move away all but"
            " the one on which the spots lie"
        )
    return images[0] if images else None


def array_coordinates(
    obs: Any, technology: str
) -> tuple[NDArray[np.float64] | None, tuple[float, float]]:
    """Array columns and rows, and the step between neighbours: Visium spots of one row are 2
    columns apart.
    """
    if not {"array_row", "array_col"} <= set(obs.columns):
        return None, (1.0, 1.0)
    try:
        array = obs[["array_col", "array_row"]].to_numpy(dtype=float)
    except (TypeError, ValueError):  # text: the pitch is then read off the positions
        return None, (1.0, 1.0)
    visium = technology.lower() == "visium"
    return (array if np.isfinite(array).all() else None), ((2.0, 0.0) if visium else (1.0, 1.0))
