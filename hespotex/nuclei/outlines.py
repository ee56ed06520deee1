"""Outlines of nuclei: polygons to centroids and areas."""

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import shapely
from numpy.typing import NDArray

from hespotex.common.errors import InputError
from hespotex.nuclei.table import NucleiTable, nuclei_table

log = logging.getLogger(__name__)


def outlines_table(
    geometries: NDArray[np.object_], kind: Sequence[str], mpp: float, path: Path
) -> NucleiTable:
    """Centroids and areas of shapely geometries (n,) in full-resolution px; empty ones are left
    out, points have no area.
    """
    known = ~(shapely.is_missing(geometries) | shapely.is_empty(geometries))
    if not known.all():
        log.warning(
            "%s: %d of %d outlines are empty and left out", path, (~known).sum(), len(known)
        )
    shapes = geometries[known]
    kinds = np.asarray(kind, dtype=np.str_)[known]
    centre = shapely.centroid(shapes)
    area = shapely.area(shapes) * mpp**2
    if (lost := shapely.is_empty(centre)).any():
        raise InputError(
            f"{path}: {int(lost.sum())} outlines have no centre, the first is number"
            f" {int(np.flatnonzero(known)[lost][0])}: are all coordinates numbers?"
        )
    xy = np.stack([shapely.get_x(centre), shapely.get_y(centre)], axis=1)
    return nuclei_table(xy, np.where(area > 0, area, np.nan), kinds)
