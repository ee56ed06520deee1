"""The one form that nuclei have, wherever they come from."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from hespotex.sections.section import Section

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class NucleiTable:
    """The n nuclei of a section.

    `centroids` (n, 2) in full-resolution px, x then y, 0 at the outer edge of the first pixel;
    `area_um2` (n,), NaN where it is not known; `kind` (n,) strings, such as "Neoplastic", empty
    where it is not known.
    """

    centroids: Floats
    area_um2: Floats
    kind: NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.centroids)

    def keep(self, nuclei: NDArray[np.bool_]) -> "NucleiTable":
        """The same table with these nuclei only."""
        return NucleiTable(self.centroids[nuclei], self.area_um2[nuclei], self.kind[nuclei])

    def moved(self, offset: Sequence[float] | Floats, scale: float) -> "NucleiTable":
        """The same nuclei on an image `scale` times as large whose corner lies at -`offset` px of
        the present one.
        """
        return NucleiTable((self.centroids + np.asarray(offset)) * scale, self.area_um2, self.kind)


def nuclei_table(
    centroids: Floats,
    area_um2: Floats | None = None,
    kind: Sequence[str] | NDArray[np.str_] | None = None,
) -> NucleiTable:
    """A table of which area and class need not be known."""
    n = len(centroids)
    area = np.full(n, np.nan) if area_um2 is None else np.asarray(area_um2, dtype=np.float64)
    kinds = np.full(n, "") if kind is None else np.asarray(kind, dtype=np.str_)
    return NucleiTable(np.asarray(centroids, dtype=np.float64).reshape(n, 2), area, kinds)


def join(tables: Sequence[NucleiTable]) -> NucleiTable:
    """The nuclei of several tables, one after another."""
    if not tables:
        return nuclei_table(np.empty((0, 2)))
    columns = (
        [getattr(table, name) for table in tables] for name in ("centroids", "area_um2", "kind")
    )
    return NucleiTable(*(np.concatenate(column) for column in columns))


class NucleiSource(Protocol):
    """Gives the nuclei of a section.

    `around_um`: side of the square around each spot within which all nuclei are given; infinite for
    the whole section.
    """

    name: str
    around_um: float

    def identity(self, section: Section) -> dict[str, Any]:
        """Plain values that fix the nuclei, besides image and positions."""
        ...

    def nuclei(self, section: Section) -> NucleiTable:
        """The nuclei; InputError where the section has none of this source."""
        ...

    def expected_seconds(self, section: Section) -> float | None:
        """How long `nuclei` will take where this is too long to be tried; None where it may be."""
        ...
