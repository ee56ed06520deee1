"""What the data layer asks of those who turn images into numbers."""

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from hespotex.sections.section import Section


class Encoder(Protocol):
    """Turns patches into numbers.

    `patch_um`: the physical sizes at which each spot is looked at; their outputs are concatenated.
    `patch_px`: side of the square in pixels as the encoder wants it.
    `patch_cut`: "padded", or "published": see `PatchSpec`.
    `batch_size`: patches it is given at a time.
    """

    name: str
    patch_um: list[float]
    patch_px: int
    patch_cut: str

    @property
    def batch_size(self) -> int:
        """How many patches one call should get."""
        ...

    def identity(self) -> dict[str, Any]:
        """Plain values that fix the output: weights, preprocessing, version. Part of the store's
        key.
        """
        ...

    def __call__(self, patches: Tensor, mpp: float) -> Tensor:
        """(n, px, px, 3) uint8 RGB at `mpp` um per px -> (n, d), on any device."""
        ...


class SideBySide(Protocol):
    """Several encoders, each of which sees its own patches; their numbers stand side by side."""

    name: str

    @property
    def parts(self) -> list[Encoder]:
        """The encoders, in the order of their columns."""
        ...

    def identity(self) -> dict[str, Any]:
        """Plain values that fix the output of all parts."""
        ...


def parts_of(encoder: Encoder | SideBySide) -> list[Encoder]:
    """The encoders in the order of their numbers: one alone, or those that are side by side."""
    members: list[Encoder] = getattr(encoder, "parts", [encoder])
    return members


class NucleiCounter(Protocol):
    """Counts nuclei at each spot, from the image or from what the user already has."""

    name: str

    def identity(self, section: Section) -> dict[str, Any]:
        """Plain values that fix the counts, besides image and positions. Part of the store's
        key.
        """
        ...

    def __call__(self, section: Section) -> NDArray[np.float32]:
        """Counts (n_spots,)."""
        ...
