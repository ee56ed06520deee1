"""Numbers that are none must not become a result."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor

from hespotex.common.errors import InputError


def check_finite(predicted: Mapping[str, Tensor], way_out: str) -> None:
    """Refuse predictions (n_spots, n_genes) of sections that hold NaN or infinity.

    Args:
        way_out: what the user can do; ends the message.

    Raises:
        InputError: naming the first such section, and how many of its values are none.
    """
    for section_id, values in predicted.items():
        wrong = int((~torch.isfinite(values)).sum())
        if wrong:
            raise InputError(
                f"{section_id}: {wrong:,} of {values.numel():,} predicted values are not finite"
                f" numbers; {way_out}"
            )


def check_scores(rows: Iterable[Mapping[str, Any]]) -> None:
    """Refuse infinite scores of sections; NaN is "no value", as of a constant gene.

    Raises:
        InputError: naming the first section and score.
    """
    for row in rows:
        for name, value in row.items():
            if isinstance(value, float) and math.isinf(value):
                raise InputError(
                    f"{row['section_id']}: expected a finite number for the score {name}, found"
                    f" {value}; a metric of your own has to give NaN where it has no value"
                )
