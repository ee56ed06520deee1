"""Maps of measured beside predicted expression on the tissue."""

from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
from numpy.typing import NDArray

from hespotex.results.figures.drawing import box_around, circles, frame, panels, save

Maps = dict[str, NDArray[np.float32]]  # a value for each spot, by heading
MARGIN_UM = 250.0  # shown around the outermost spots
LEAST_PX = 4.0  # diameter of a spot that can still be seen


def draw_pair(
    measured: ad.AnnData | None, predicted: ad.AnnData, gene: str, title: str, path: Path
) -> None:
    """One gene on the section: the tissue, measured (if there is any) and predicted on one colour
    scale; beside measured values, the prediction on a scale of its own as well.
    """
    tables = [("measured", measured), ("predicted", predicted)]
    maps = {f"{name} {gene}": _values(table, gene) for name, table in tables if table is not None}
    alone = {f"predicted {gene}, own scale": _values(predicted, gene)}
    rescaled = alone if measured is not None else None
    draw_maps(predicted, maps, predicted.uns["hespotex"]["unit"], title, path, rescaled)


def draw_maps(
    table: ad.AnnData,
    maps: Maps,
    unit: str,
    title: str,
    path: Path,
    rescaled: Maps | None = None,
) -> None:
    """The tissue and beside it each of `maps` (its heading: a value for each spot of `table`), on
    one colour scale; then each of `rescaled`, on a scale of its own.
    """
    alone = rescaled or {}
    n = 1 + len(maps) + len(alone)
    figure, axes = panels(n, 4.2 * n, 4.2)
    library = next(iter(table.uns["spatial"].values()))
    picture = library["images"]["hires"]
    factors = library["scalefactors"]
    axes[0].imshow(picture)
    axes[0].set_title("H&E", fontsize=10)
    shared = axes[1 : 1 + len(maps)]
    _coloured(figure, shared, table, maps, unit)
    for axis, (heading, values) in zip(axes[1 + len(maps) :], alone.items(), strict=True):
        _coloured(figure, [axis], table, {heading: values}, unit)
    figure.suptitle(title, fontsize=11)
    px_per_um = factors["tissue_hires_scalef"] / factors["microns_per_pixel"]
    xy = table.obsm["spatial"] * factors["tissue_hires_scalef"]
    box = box_around(xy, picture, MARGIN_UM * px_per_um)
    for axis in axes:
        frame(axis, box, px_per_um)
    save(figure, path)


def _coloured(figure: Any, axes: Any, table: ad.AnnData, maps: Maps, unit: str) -> None:
    """Maps on one colour scale, each on an axis, with the scale beside them."""
    library = next(iter(table.uns["spatial"].values()))
    limits = np.nanpercentile(np.concatenate(list(maps.values())), [1, 99])
    for axis, (heading, values) in zip(axes, maps.items(), strict=True):
        points = _scatter(axis, table, library, values, limits)
        axis.set_title(heading, fontsize=10)
    figure.colorbar(points, ax=axes, label=unit, shrink=0.8)


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
