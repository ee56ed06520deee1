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
    has_shape = ~(shapely.is_missing(geometries) | shapely.is_empty(geometries))
    if not has_shape.all():
        log.warning(
            "%s: %d of %d outlines are empty and left out", path, (~has_shape).sum(), len(has_shape)
        )
    shapes = geometries[has_shape]
    kinds = np.asarray(kind, dtype=np.str_)[has_shape]
    centre = shapely.centroid(shapes)
    area = shapely.area(shapes) * mpp**2
    if (lost := shapely.is_empty(centre)).any():
        raise InputError(
            f"{path}: {int(lost.sum())} outlines have no centre, the first is number"
            f" {int(np.flatnonzero(has_shape)[lost][0])}: are all coordinates numbers?"
        )
    xy = np.stack([shapely.get_x(centre), shapely.get_y(centre)], axis=1)
    return nuclei_table(xy, np.where(area > 0, area, np.nan), kinds)
