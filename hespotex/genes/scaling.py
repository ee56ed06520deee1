"""Mean and spread of each gene, which models learn in units of."""

from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor

from hespotex.common.moments import CONSTANT, moments
from hespotex.genes.target import Expressed, in_chunks


def scaling(expression: Iterable[Expressed | None]) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of each gene, (n_genes,), over all spots; 1 for a gene that does
    not vary.
    """
    mean, std = moments(
        rows.numpy() for target in expression if target for rows in in_chunks(target)
    )
    return torch.from_numpy(mean).float(), torch.from_numpy(
        np.where(std > CONSTANT, std, 1.0)
    ).float()
