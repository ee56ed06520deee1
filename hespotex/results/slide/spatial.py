"""A predicted slide as a SpatialData zarr folder (optional extra `spatialdata`)."""

from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np

from hespotex.common.errors import InputError
from hespotex.common.files import atomic_path
from hespotex.results.slide.table import scale_factors

SPOTS = "spots"
PICTURE = "thumbnail"


def write_spatialdata(table: ad.AnnData, path: Path) -> None:
    """Spots as circles with the table that annotates them, and the thumbnail; coordinates in
    full-resolution px.

    Raises:
        InputError: the package spatialdata is not installed.
    """
    try:
        from spatialdata import SpatialData
    except ImportError as error:
        raise InputError(
            f"spatialdata=true needs the package spatialdata ({error}); run `pip install"
            " spatialdata`"
        ) from error
    content = SpatialData(
        images={PICTURE: _picture(table)},
        shapes={SPOTS: _circles(table)},
        tables={"table": _table(table)},
    )
    with atomic_path(path) as part:
        content.write(part)


def _picture(table: ad.AnnData) -> Any:
    from spatialdata.models import Image2DModel
    from spatialdata.transformations import Scale

    picture = next(iter(table.uns["spatial"].values()))["images"]["hires"]
    up = 1 / scale_factors(table)["tissue_hires_scalef"]
    scale = Scale([up, up], axes=("x", "y"))
    return Image2DModel.parse(
        np.moveaxis(picture, 2, 0), dims=("c", "y", "x"), transformations={"global": scale}
    )


def _circles(table: ad.AnnData) -> Any:
    from spatialdata.models import ShapesModel

    radius = scale_factors(table)["spot_diameter_fullres"] / 2
    return ShapesModel.parse(
        table.obsm["spatial"], geometry=0, radius=radius, index=table.obs_names
    )


def _table(table: ad.AnnData) -> Any:
    """The table with the columns that tie its rows to the circles; expression is not copied."""
    from spatialdata.models import TableModel

    tied = ad.AnnData(
        X=table.X,
        obs=table.obs.assign(region=SPOTS, instance=table.obs_names),
        var=table.var,
        layers=dict(table.layers),
    )
    tied.obs["region"] = tied.obs["region"].astype("category")
    tied.obsm.update(table.obsm)
    return TableModel.parse(tied, region=SPOTS, region_key="region", instance_key="instance")
