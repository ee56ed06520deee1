"""What a user decides of the fields."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

from hespotex.common.errors import InputError
from hespotex.kriging.field import Field


@dataclass(frozen=True)
class Settings:
    """Numbers of the Gaussian processes; those of a field as in `Field`.

    Args:
        image_programmes: directions in which the image's prediction varies most.
        error_programmes: directions in which the measured errors are largest; at most one for ten
          measured spots, and none where a prior says what the errors look like.
        lengths_um, weights: of the local part, to choose from.
        slide_um: of the part that the whole slide shares; None leaves it out.
        blocks: compact parts of the measured spots, left out in turn to choose.
        most: measured spots of one factorisation.
        cautious: without a prior, take a field only where it is clearly better than none; else
          always the best.
    """

    image_programmes: int = 12
    error_programmes: int = 12
    lengths_um: Sequence[float] = (100.0, 200.0, 400.0, 800.0, 1600.0)
    weights: Sequence[float] = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
    slide_um: float | None = 100_000.0
    blocks: int = 16
    most: int = 1000
    cautious: bool = True

    def __post_init__(self) -> None:
        """Refuse numbers that mean nothing."""
        least = {"blocks": 4, "most": 100, "image_programmes": 0, "error_programmes": 0}
        for name, lowest in least.items():
            if getattr(self, name) < lowest:
                raise InputError(
                    f"kriging.{name}: expected at least {lowest}, got {getattr(self, name)}"
                )
        lengths = {"lengths_um": self.lengths_um, "weights": self.weights}
        lengths["slide_um"] = [] if self.slide_um is None else [self.slide_um]
        for name, values in lengths.items():
            if not all(0 < value < float("inf") for value in values):
                raise InputError(f"kriging.{name}: expected numbers above 0, got {list(values)}")

    def fields(self) -> list[Field]:
        """To choose from, beside none."""
        wide = self.slide_um or 1.0
        slide = 0.0 if self.slide_um is None else 1.0
        local = [
            Field(length, weight, wide, slide)
            for length, weight in product(self.lengths_um, self.weights)
        ]
        return [Field(1.0, 0.0, wide, slide), *local] if slide else local
