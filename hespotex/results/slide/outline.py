"""The tissue that was found, drawn on the slide."""

from pathlib import Path

import numpy as np

from hespotex.results.figures.drawing import circles, frame, panels, save
from hespotex.results.predictions import section_picture
from hespotex.sections.section import Section
from hespotex.sections.tissue import Tissue

PICTURE_PX = 1400
INCHES = 7.0
COLOUR = "#00a03c"  # no colour of H&E
LEAST_PX = 3.0  # diameter of a spot that can still be seen


def draw_tissue(tissue: Tissue, section: Section, path: Path) -> None:
    """Outlines of the tissue and the spots on the slide."""
    picture, scale = section_picture(section, PICTURE_PX)
    shape = np.clip(picture.shape[0] / picture.shape[1], 0.4, 2.0)
    figure, (axis,) = panels(1, INCHES, INCHES * shape + 0.4)
    axis.imshow(picture)
    for rings in tissue.pieces():
        for ring in rings:
            axis.fill(*(ring * scale).T, facecolor="none", edgecolor=COLOUR, linewidth=1.5)
    diameter = max(section.spot_diameter_um / section.mpp * scale, LEAST_PX)
    circles(
        axis,
        section.pos_px * scale,
        diameter,
        facecolors="none",
        edgecolors="black",
        linewidths=0.7,
    )
    figure.suptitle(
        f"{section.section_id}: {tissue.area_mm2(section.mpp):.3g} mm² of tissue"
        f" ({tissue.source}),"
        f" {len(section.adata):,} spots {section.pitch_um:g} um apart",
        fontsize=10,
    )
    frame(axis, (0, 0, picture.shape[1], picture.shape[0]), scale / section.mpp)
    save(figure, path)
