"""Grids of spots: laid over a slide, and told apart from their positions."""

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from hespotex.common.errors import InputError

ROW_STEP = {"square": 1.0, "hexagonal": np.sqrt(0.75)}  # distance of rows in pitches
SYMMETRY = {"square": 4, "hexagonal": 6}  # neighbours around a spot
# in pitches: between the direct neighbours and the next ones, at 1.41 (square) and 1.73 (hexagonal)
BOND = 1.25


def lay_grid(
    kind: str, size_px: tuple[int, int], pitch_px: float
) -> tuple[list[str], NDArray[np.float64]]:
    """Spots over a whole image: names ROWxCOLUMN and centres (n_spots, 2) px, x then y, row by row.

    Args:
        kind: `square`, or `hexagonal`: every second row moved by half a pitch, neighbours one pitch
          apart.
        size_px: width and height; pitch_px: distance of neighbouring spots.

    Raises:
        InputError: another kind, or a pitch that is not positive.
    """
    if kind not in ROW_STEP:
        raise InputError(f"expected grid=square or hexagonal, got {kind!r}")
    if not pitch_px > 0:
        raise InputError(f"expected a positive pitch of the grid, got {pitch_px:g} px")
    width, height = size_px
    rows = np.arange(pitch_px / 2, height, pitch_px * ROW_STEP[kind])
    shift = pitch_px / 2 if kind == "hexagonal" else 0.0
    x_of_rows = [
        np.arange(pitch_px / 2 + shift * (row % 2), width, pitch_px) for row in range(len(rows))
    ]
    names = [f"{row}x{column}" for row, line in enumerate(x_of_rows) for column in range(len(line))]
    x = np.concatenate([*x_of_rows, []])
    y = np.repeat(rows, [len(line) for line in x_of_rows])
    return names, np.stack([x, y], axis=1)


def grid_kind(pos: NDArray[np.float64]) -> str:
    """`square` or `hexagonal`, by the angles between neighbouring spots (n_spots, 2); any unit, any
    rotation.

    Bonds turned by a quarter add up on a square grid, by a sixth on a hexagonal one (the
    bond-orientational order of Halperin and Nelson 1978). `square` where nothing tells, as for
    spots on one line.
    """
    if len(pos) < 3:
        return "square"
    tree = cKDTree(pos)
    pitch = np.median(tree.query(pos, k=2)[0][:, 1])
    bonds = tree.query_pairs(BOND * pitch, output_type="ndarray")
    x, y = (pos[bonds[:, 1]] - pos[bonds[:, 0]]).T
    angle = np.arctan2(y, x)
    order = {kind: abs(np.exp(1j * fold * angle).mean()) for kind, fold in SYMMETRY.items()}
    return "hexagonal" if order["hexagonal"] > order["square"] + 1e-6 else "square"
