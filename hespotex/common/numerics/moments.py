"""Mean and spread of columns, added up piece by piece: memory does not grow with the rows."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
CONSTANT = 1e-6  # a standard deviation below this is none


def moments(pieces: Iterable[NDArray[np.float32]]) -> tuple[Floats, Floats]:
    """Mean and standard deviation of each column over the rows of all pieces (n, d); NaN entries
    are left out.

    Sums are of the distance to the first row, which keeps them exact for columns that are constant.
    A column without a value has mean and standard deviation NaN.
    """
    shift = np.empty(0)
    n = np.zeros(1)
    total = np.zeros(1)
    squares = np.zeros(1)
    for piece in pieces:
        shift = (
            shift if shift.size or not len(piece) else np.nan_to_num(piece[0].astype(np.float64))
        )
        away = piece.astype(np.float64)
        away -= shift
        n = n + _count_numbers(away)
        total = total + away.sum(axis=0)
        squares = squares + np.einsum("nd,nd->d", away, away)
    with np.errstate(invalid="ignore"):
        mean = total / n
        return mean + shift, np.sqrt(np.maximum(squares / n - mean**2, 0))


def _count_numbers(away: Floats) -> Floats:
    """Entries of each column that are numbers, (d,); the others become 0."""
    if not np.isnan(away.sum()):
        return np.full(away.shape[1], float(len(away)))
    is_number = ~np.isnan(away)
    away[~is_number] = 0.0
    return is_number.sum(axis=0).astype(np.float64)
