"""Which spots of a test section are given, and which are scored."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from hespotex.batches.cut import split
from hespotex.common.errors import InputError
from hespotex.kriging import Settings
from hespotex.records.build import Config, build

Array = NDArray[np.float64]
Numbers = NDArray[np.int64]
PATCHES = 4  # compact parts in which the measured spots lie, of `blocks`


@dataclass(frozen=True)
class Given:
    """Which spots are given.

    Args:
        shares: of the section's spots.
        ways: of `WAYS`, or `SERIAL`: all spots of a serial section of the same group, carried over.
        repeats: draws of each.
        settings: of the processes.
    """

    shares: Sequence[float]
    ways: Sequence[str]
    repeats: int
    settings: Settings

    @classmethod
    def of(cls, config: Config) -> "Given | None":
        """What the config asks for; None where it asks for nothing.

        Raises:
            InputError: words or numbers that mean nothing.
        """
        request = config.get("partial")
        if not request:
            return None
        ways = [*WAYS, SERIAL]
        if unknown := [way for way in request["ways"] if way not in ways]:
            raise InputError(
                f"partial.ways: expected some of {', '.join(ways)}, got {', '.join(unknown)}"
            )
        if wrong := [share for share in request["shares"] if not 0 < share < 1]:
            raise InputError(f"partial.shares: expected numbers between 0 and 1, got {wrong[0]}")
        settings = build(request["kriging"])
        return cls(request["shares"], request["ways"], request["repeats"], settings)

    def draws(self) -> Iterator[tuple[str, float, int]]:
        """Way, share and number of the draw."""
        ways = [way for way in self.ways if way in WAYS]
        return product(ways, self.shares, range(self.repeats))


def drawn(
    way: str, share: float, pos: Array, rng: np.random.Generator, draw: int = 0
) -> tuple[Numbers, Numbers]:
    """Numbers of the spots that are given, and of those that are scored: all others, or, of `half`,
    the other half; each half is given in every second draw.
    """
    n = len(pos)
    return WAYS[way](pos, max(1, round(share * n)), rng, draw)


def side(pos: Array, scored: Numbers) -> str:
    """Where the half lies that is given, by the other one: left, right, upper or lower."""
    away = pos.mean(axis=0) - pos[scored].mean(axis=0)
    axis = int(np.abs(away).argmax())
    return (("left", "right"), ("upper", "lower"))[axis][int(away[axis] > 0)]


def _random(pos: Array, m: int, rng: np.random.Generator, _: int) -> tuple[Numbers, Numbers]:
    order = rng.permutation(len(pos))
    return np.sort(order[:m]), np.sort(order[m:])


def _blocks(pos: Array, m: int, rng: np.random.Generator, _: int) -> tuple[Numbers, Numbers]:
    n = len(pos)
    size = max(1, round(m / PATCHES))
    patches = split(pos, np.arange(n), max(2, round(n / size)))
    order = np.concatenate([patches[i] for i in rng.permutation(len(patches))])
    return np.sort(order[:m]), np.sort(order[m:])


def _half(pos: Array, m: int, rng: np.random.Generator, draw: int) -> tuple[Numbers, Numbers]:
    halves = split(pos, np.arange(len(pos)), 2)
    given = halves[draw % 2]
    return np.sort(rng.permutation(given)[:m]), halves[1 - draw % 2]


SERIAL = "serial"
WAYS = {"random": _random, "blocks": _blocks, "half": _half}
