"""What figures of sections share: spots as circles of their true size, scale bar, axes, files."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hespotex.files import atomic_path

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
    spots = EllipseCollection(size, size, np.zeros(len(xy)), units="xy", offsets=xy, offset_transform=axis.transData, **style)
    axis.add_collection(spots)
    return spots


def frame(axis: Any, picture: NDArray[np.uint8], px_per_um: float) -> None:
    """Limits of the picture, no ticks, and a scale bar in um, at most half as wide as the picture."""
    height, width = picture.shape[:2]
    um = next((length for length in SCALE_BARS_UM if length * px_per_um <= width / 2), SCALE_BARS_UM[-1])
    left, bottom = 0.04 * width, 0.96 * height
    bar = {"color": "black", "lw": 3, "solid_capstyle": "butt", "path_effects": halo()}
    axis.plot([left, left + um * px_per_um], [bottom] * 2, **bar)
    axis.text(left, bottom - 0.015 * height, f"{um} um", fontsize=9, va="bottom", path_effects=halo())
    axis.set(xlim=(0, width), ylim=(height, 0), xticks=[], yticks=[])


def halo() -> list[Any]:
    """A white rim, for marks on dark tissue."""
    from matplotlib.patheffects import withStroke

    return [withStroke(linewidth=4, foreground="white")]


def save(figure: Any, path: Path) -> None:
    """Write atomically, and let go of the figure."""
    from matplotlib import pyplot as plt

    with atomic_path(path) as part:
        figure.savefig(part, dpi=DPI)
    plt.close(figure)
