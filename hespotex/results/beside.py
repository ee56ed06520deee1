"""What stands beside the correlations of a test section: the ceiling, depth and cellularity."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hespotex.batches.fold import PreparedSection
from hespotex.metrics import pearson_given

GIVEN = ("pcc_given_depth", "pcc_given_nuclei")
Floats = NDArray[np.float64]


def beside_pearson(section: PreparedSection, predicted: Tensor) -> dict[str, Floats]:
    """Of each gene, (n_genes,) by name: `GIVEN`, and `noise_ceiling`; NaN for what is not known.

    Args:
        section: test section.
        predicted: (n_spots, n_genes).
    """
    facts = dict(zip(GIVEN, (np.log1p(section.depth), _nuclei(section)), strict=True))
    scores = {
        name: _nothing(section)
        if values is None
        else pearson_given(predicted, section.target, values)
        for name, values in facts.items()
    }
    ceiling = section.noise_ceiling
    return scores | {"noise_ceiling": _nothing(section) if ceiling is None else ceiling}


def _nuclei(section: PreparedSection) -> Floats | None:
    """log(1 + nuclei) of each spot, standardised, (n_spots,); None where they were not counted."""
    counts = section.graph.inputs.get("nuclei_log")
    if counts is None:
        return None
    return counts[torch.arange(len(counts))][:, 0].numpy().astype(np.float64)


def _nothing(section: PreparedSection) -> Floats:
    return np.full(section.target.n_genes, np.nan)
