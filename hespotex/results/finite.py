"""Numbers that are none must not become a result."""

from collections.abc import Mapping

import torch
from torch import Tensor

from hespotex.errors import InputError


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
