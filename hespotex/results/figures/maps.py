"""Maps of measured beside predicted expression on the tissue."""

from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
from numpy.typing import NDArray

from hespotex.results.figures.drawing import box_around, circles, frame, panels, save

MARGIN_UM = 250.0  # shown around the outermost spots
LEAST_PX = 4.0  # diameter of a spot that can still be seen


def draw_pair(
    measured: ad.AnnData | None, predicted: ad.AnnData, gene: str, title: str, path: Path
) -> None:
    """One gene on the section: the tissue, measured (if there is any) and predicted on one colour
    scale.
    """
    tables = [("measured", measured), ("predicted", predicted)]
    maps = {f"{name} {gene}": _values(table, gene) for name, table in tables if table is not None}
    draw_maps(predicted, maps, predicted.uns["hespotex"]["unit"], title, path)


def draw_maps(
    table: ad.AnnData, maps: dict[str, NDArray[np.float32]], unit: str, title: str, path: Path
) -> None:
    """The tissue and beside it each of `maps` (its heading: a value for each spot of `table`), on
    one colour scale.
    """
    limits = np.nanpercentile(np.concatenate(list(maps.values())), [1, 99])
    figure, axes = panels(len(maps) + 1, 4.2 * (len(maps) + 1), 4.2)
    library = next(iter(table.uns["spatial"].values()))
    picture = library["images"]["hires"]
    factors = library["scalefactors"]
    axes[0].imshow(picture)
    axes[0].set_title("H&E", fontsize=10)
    for axis, (heading, values) in zip(axes[1:], maps.items(), strict=True):
        points = _scatter(axis, table, library, values, limits)
        axis.set_title(heading, fontsize=10)
    figure.colorbar(points, ax=axes[1:], label=unit, shrink=0.8)
    figure.suptitle(title, fontsize=11)
    px_per_um = factors["tissue_hires_scalef"] / factors["microns_per_pixel"]
    xy = table.obsm["spatial"] * factors["tissue_hires_scalef"]
    box = box_around(xy, picture, MARGIN_UM * px_per_um)
    for axis in axes:
        frame(axis, box, px_per_um)
    save(figure, path)


def _values(table: ad.AnnData, gene: str) -> NDArray[np.float32]:
    return np.asarray(table[:, gene].X, dtype=np.float32).ravel()


def _scatter(
    axis: Any, table: ad.AnnData, library: dict[str, Any], values: NDArray[np.float32], limits: Any
) -> Any:
    factors = library["scalefactors"]
    scale = factors["tissue_hires_scalef"]
    axis.imshow(library["images"]["hires"], alpha=0.35)
    spots = circles(
        axis,
        table.obsm["spatial"] * scale,
        max(factors["spot_diameter_fullres"] * scale, LEAST_PX),
        cmap="viridis",
    )
    spots.set_array(values)
    spots.set_clim(*limits)
    return spots
