"""The patches where a programme is strongest and weakest."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hespotex.programmes.factors import Array
from hespotex.results.figures.drawing import panels, save
from hespotex.sections.patch_reader import patch_reader
from hespotex.sections.patches import PatchSpec
from hespotex.sections.section import Section

SHOWN = 8  # patches at each end
PATCH_PX = 160
GAP_PX = 8  # between patches of a row
HEAD_PX = 24  # above a row, for the sections' names
WHITE = 255


@dataclass(frozen=True)
class Spot:
    """A spot of a section, by its place in both lists."""

    section: int
    spot: int
    score: float


def extremes(scores: Sequence[Array], shown: int = SHOWN) -> tuple[list[Spot], list[Spot]]:
    """The spots of the highest scores, highest first, and of the lowest, lowest first, as many of
    each section as an even share of those shown.

    Args:
        scores: of the spots of each section, (n_spots,) each.
        shown: of each end.
    """
    share = ceil(shown / len(scores))
    ends = []
    for sign in (1, -1):
        best = [
            Spot(number, int(spot), float(own[spot]))
            for number, own in enumerate(scores)
            for spot in np.argsort(-sign * own)[:share]
        ]
        ends.append(sorted(best, key=lambda found: -sign * found.score)[:shown])
    return ends[0], ends[1]


def draw_patches(
    sections: Sequence[Section], scores: Sequence[Array], um: float, path: Path
) -> None:
    """Both ends as two rows of patches, each with its section's name.

    Args:
        sections: with their images.
        scores: of the spots of each, (n_spots,) each.
        um: side of a patch.
        path: PNG.
    """
    rows = extremes(scores)
    across, down = PATCH_PX + GAP_PX, PATCH_PX + HEAD_PX
    figure, (axis,) = panels(1, 1.35 * len(rows[0]) + 0.9, 3.6)
    axis.imshow(np.concatenate([_row(sections, own, um) for own in rows]))
    for height, own in enumerate(rows):
        for place, found in enumerate(own):
            name = sections[found.section].section_id
            axis.text(place * across, height * down + HEAD_PX - 4, name[:18], fontsize=8)
    axis.set_yticks([down - PATCH_PX / 2, 2 * down - PATCH_PX / 2], ["highest", "lowest"])
    axis.set_xticks([])
    axis.set_frame_on(False)
    axis.tick_params(length=0)
    axis.set_xlabel(f"patches of {um:g} um", fontsize=9)
    save(figure, path)


def _row(sections: Sequence[Section], spots: Sequence[Spot], um: float) -> NDArray[np.uint8]:
    """Patches side by side, white above and between them."""
    tiles = [_patch(sections[found.section], found.spot, um) for found in spots]
    frame = ((HEAD_PX, 0), (0, GAP_PX), (0, 0))
    return np.concatenate([np.pad(tile, frame, constant_values=WHITE) for tile in tiles], axis=1)


def _patch(section: Section, spot: int, um: float) -> NDArray[np.uint8]:
    read = patch_reader(section, PatchSpec(um, PATCH_PX))
    return np.asarray(read(np.array([spot]))[0], dtype=np.uint8)
