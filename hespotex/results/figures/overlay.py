"""The spots of a section on its image, at their true size: what shows a wrong registration at
once.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hespotex.results.figures.drawing import circles, frame, halo, panels, save
from hespotex.results.predictions import section_picture
from hespotex.sections.images import open_image
from hespotex.sections.images.region import best_level, read_padded
from hespotex.sections.section import Section

OVERVIEW_PX = 1400
DETAIL_PX = 800
DETAIL_PITCHES = 4
PANEL_INCHES = 7.0
# neither is a colour of H&E
SPOT = "#00c040"
PATCH = "#c03000"


def draw_overlay(section: Section, patch_um: Sequence[float], path: Path) -> None:
    """The whole section with all spots, and some spots in the middle with the squares that the
    encoder sees.
    """
    n_panels = 2 if section.image else 1
    picture, scale = section_picture(section, OVERVIEW_PX)
    height = PANEL_INCHES * min(max(picture.shape[0] / picture.shape[1], 1.0), 2.0) + 0.4
    figure, axes = panels(n_panels, PANEL_INCHES * n_panels, height)
    _panel(axes[0], section, picture, scale, np.zeros(2))
    _arrows(axes[0])
    if section.image:
        detail, scale, corner = _detail(section)
        _panel(axes[1], section, detail, scale, corner)
        _squares(axes[1], patch_um, scale / section.mpp)
    figure.suptitle(
        f"{section.section_id}: {len(section.adata):,} spots of {section.spot_diameter_um:g} um, "
        f"{section.pitch_um:g} um apart; {section.mpp:.4g} um/px ({section.mpp_source})",
        fontsize=10,
    )
    save(figure, path)


def _panel(
    axis: Any,
    section: Section,
    picture: NDArray[np.uint8],
    scale: float,
    corner: NDArray[np.float64],
) -> None:
    """Picture with spots; `scale` in its px per full-resolution px, `corner` its top left in
    full-resolution px.
    """
    axis.imshow(picture)
    diameter = section.spot_diameter_um / section.mpp * scale
    circles(
        axis,
        (section.pos_px - corner) * scale,
        diameter,
        facecolors="none",
        edgecolors=SPOT,
        linewidths=1.2,
    )
    frame(axis, (0, 0, picture.shape[1], picture.shape[0]), scale / section.mpp)


def _detail(section: Section) -> tuple[NDArray[np.uint8], float, NDArray[np.float64]]:
    """The image around the most central spot: picture, its px per full-resolution px, top left in
    full-resolution px.
    """
    assert section.image is not None
    image = open_image(section.image)
    pos = section.pos_px
    centre = pos[np.linalg.norm(pos - np.median(pos, axis=0), axis=1).argmin()]
    side = DETAIL_PITCHES * section.pitch_um / section.mpp
    level = best_level(image, side / DETAIL_PX)
    downsample = image.downsamples[level]
    left, top = (round(float(v)) for v in (centre - side / 2) / downsample)
    px = max(1, round(side / downsample))
    return (
        read_padded(image, level, left, top, px, px),
        1 / downsample,
        np.array([left, top]) * downsample,
    )


def _squares(axis: Any, patch_um: Sequence[float], px_per_um: float) -> None:
    """The patches of the spot in the middle."""
    from matplotlib.patches import Rectangle

    width = axis.get_xlim()[1]
    for um in patch_um:
        side = um * px_per_um
        at = (width / 2 - side / 2, width / 2 - side / 2)
        axis.add_patch(Rectangle(at, side, side, fill=False, edgecolor=PATCH, linewidth=1.5))
        axis.text(
            width / 2,
            at[1],
            f"patch {um:g} um",
            color=PATCH,
            fontsize=9,
            ha="center",
            va="bottom",
            path_effects=halo(),
        )


def _arrows(axis: Any) -> None:
    """Directions of x and y, as the coordinates count."""
    for name, end in (("x", (0.11, 0.97)), ("y", (0.03, 0.89))):
        axis.annotate(
            name,
            xy=(0.03, 0.97),
            xytext=end,
            xycoords="axes fraction",
            ha="center",
            va="center",
            fontsize=11,
            arrowprops={"arrowstyle": "<-", "lw": 1.5},
            path_effects=halo(),
        )
