"""What figures of sections share: spots as circles of their true size, scale bar, axes, files."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hespotex.common.files import QUICK, atomic_path

DPI = 110
SCALE_BARS_UM = (1000, 500, 200, 100, 50, 20, 10)


def panels(n: int, width: float, height: float) -> tuple[Any, Any]:
    """Figure and axes of `n` panels side by side; sizes in inches."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(1, n, figsize=(width, height), layout="constrained", squeeze=False)
    return figure, axes[0]


def circles(axis: Any, xy: NDArray[np.float64], diameter: float, **style: Any) -> Any:
    """Circles of one diameter at `xy` (n, 2), both in px of the axis; returns the collection."""
    from matplotlib.collections import EllipseCollection

    size = np.full(len(xy), diameter)
    spots = EllipseCollection(
        size,
        size,
        np.zeros(len(xy)),
        units="xy",
        offsets=xy,
        offset_transform=axis.transData,
        **style,
    )
    axis.add_collection(spots)
    return spots


Box = tuple[float, float, float, float]  # left, top, right, bottom in px of a picture


def box_around(xy: NDArray[np.float64], picture: NDArray[np.uint8], margin: float) -> Box:
    """The part of a picture that holds the spots at `xy` (n, 2), with a margin; all in px of the
    picture.
    """
    low = np.maximum(xy.min(axis=0) - margin, 0)
    high = np.minimum(xy.max(axis=0) + margin, picture.shape[1::-1])
    return float(low[0]), float(low[1]), float(high[0]), float(high[1])


def frame(axis: Any, box: Box, px_per_um: float) -> None:
    """Limits of the axis, no ticks, and a scale bar in um, at most half as wide as the box."""
    x0, y0, x1, y1 = box
    width = x1 - x0
    height = y1 - y0
    um = next(
        (length for length in SCALE_BARS_UM if length * px_per_um <= width / 2), SCALE_BARS_UM[-1]
    )
    left = x0 + 0.04 * width
    bottom = y0 + 0.96 * height
    bar = {"color": "black", "lw": 3, "solid_capstyle": "butt", "path_effects": halo()}
    axis.plot([left, left + um * px_per_um], [bottom] * 2, **bar)
    axis.text(
        left, bottom - 0.015 * height, f"{um} um", fontsize=9, va="bottom", path_effects=halo()
    )
    axis.set(xlim=(x0, x1), ylim=(y1, y0))
    for side in (axis.xaxis, axis.yaxis):  # hidden, they take no part in the layout
        side.set_visible(False)


def halo() -> list[Any]:
    """A white rim, for marks on dark tissue."""
    from matplotlib.patheffects import withStroke

    return [withStroke(linewidth=4, foreground="white")]


def save(figure: Any, path: Path) -> None:
    """Write a PNG atomically, and let go of the figure."""
    from matplotlib import pyplot as plt

    with atomic_path(path) as partial:
        Image.fromarray(_drawn(figure)).save(partial, "PNG", compress_level=QUICK)
    plt.close(figure)


def _drawn(figure: Any) -> NDArray[np.uint8]:
    """Its pixels (rows, columns, 3): `savefig` would draw it twice for its layout."""
    figure.set_dpi(DPI)
    figure.canvas.draw()
    rgba = np.asarray(figure.canvas.buffer_rgba())
    return np.ascontiguousarray(rgba[..., :3])
