"""Maps of measured beside predicted expression on the tissue."""

from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
from numpy.typing import NDArray

from hespotex.files import atomic_path

DPI = 110
SCALE_BAR_UM = 1000


def draw_pair(measured: ad.AnnData | None, predicted: ad.AnnData, gene: str, title: str, path: Path) -> None:
    """One gene on the section: the tissue, measured (if there is any) and predicted on one colour scale."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    tables = [("measured", measured), ("predicted", predicted)]
    panels = [(name, _values(table, gene)) for name, table in tables if table is not None]
    limits = np.nanpercentile(np.concatenate([values for _, values in panels]), [1, 99])
    figure, axes = plt.subplots(1, len(panels) + 1, figsize=(4.2 * (len(panels) + 1), 4.4), layout="constrained")
    library = next(iter(predicted.uns["spatial"].values()))
    axes[0].imshow(library["images"]["hires"])
    axes[0].set_title("H&E", fontsize=10)
    for axis, (name, values) in zip(axes[1:], panels, strict=True):
        points = _scatter(axis, predicted, library, values, limits)
        axis.set_title(f"{name} {gene}", fontsize=10)
    figure.colorbar(points, ax=axes[1:], label=predicted.uns["hespotex"]["unit"], shrink=0.8)
    figure.suptitle(title, fontsize=11)
    for axis in axes:
        _frame(axis, library)
    with atomic_path(path) as part:
        figure.savefig(part, dpi=DPI)
    plt.close(figure)


def _values(table: ad.AnnData, gene: str) -> NDArray[np.float32]:
    return np.asarray(table[:, gene].X, dtype=np.float32).ravel()


def _scatter(axis: Any, table: ad.AnnData, library: dict[str, Any], values: NDArray[np.float32], limits: Any) -> Any:
    factors, picture = library["scalefactors"], library["images"]["hires"]
    scale = factors["tissue_hires_scalef"]
    xy, radius = table.obsm["spatial"] * scale, factors["spot_diameter_fullres"] * scale / 2
    from matplotlib.collections import EllipseCollection

    axis.imshow(picture, alpha=0.35)
    size = np.full(len(xy), 2 * max(radius, 2.0))
    spots = EllipseCollection(size, size, np.zeros(len(xy)), units="xy", offsets=xy, transOffset=axis.transData, cmap="viridis")
    spots.set_array(values)
    spots.set_clim(*limits)
    axis.add_collection(spots)
    return spots


def _frame(axis: Any, library: dict[str, Any]) -> None:
    """No ticks, and a scale bar in um."""
    height, width = library["images"]["hires"].shape[:2]
    factors = library["scalefactors"]
    length = SCALE_BAR_UM / factors["microns_per_pixel"] * factors["tissue_hires_scalef"]
    um = SCALE_BAR_UM
    while length > width / 2:
        length, um = length / 2, um // 2
    axis.plot([0.04 * width, 0.04 * width + length], [0.96 * height] * 2, color="black", lw=3, solid_capstyle="butt")
    axis.text(0.04 * width, 0.945 * height, f"{um} um", fontsize=8, va="bottom")
    axis.set(xlim=(0, width), ylim=(height, 0), xticks=[], yticks=[])
