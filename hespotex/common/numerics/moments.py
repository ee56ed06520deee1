"""Mean and spread of columns, added up piece by piece: memory does not grow with the rows."""

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Sums = tuple[Floats, Floats, Floats]
P = TypeVar("P", bound=Any)
CONSTANT = 1e-6  # a standard deviation below this is none


def distances(piece: NDArray[np.float32], shift: Floats) -> Sums:
    """Of each column of (n, d): its numbers, the sum of their distances to `shift`, and that of the
    squares, (d,) each.
    """
    away = piece.astype(np.float64)
    away -= shift
    n = _count_numbers(away)
    return n, away.sum(axis=0), np.einsum("nd,nd->d", away, away)


def moments(
    pieces: Iterable[P],
    first: Callable[[P], NDArray[np.float32]] = lambda piece: piece[0],
    sums: Callable[[P, Floats], Sums] = distances,
) -> tuple[Floats, Floats]:
    """Mean and standard deviation of each column over the rows of all pieces (n, d); NaN entries
    are left out.

    Sums are of the distance to the first row, which keeps them exact for columns that are constant.
    A column without a value has mean and standard deviation NaN.

    Args:
        pieces: tables, or what stands for them.
        first: the first row (d,) of a piece.
        sums: of a piece, as `distances` has them.
    """
    shift = np.empty(0)
    n = total = squares = np.zeros(1)
    for piece in pieces:
        if not shift.size and len(piece):
            shift = np.nan_to_num(first(piece).astype(np.float64))
        own = sums(piece, shift)
        n, total, squares = n + own[0], total + own[1], squares + own[2]
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
