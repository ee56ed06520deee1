"""What a Gaussian process says of spots that are left out, block by block, from one factorisation
of all.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve

from hespotex.kriging.field import Array

Numbers = NDArray[np.int64]


@dataclass(frozen=True)
class LeftOut:
    """Errors (m, q) of spots that were predicted from the spots of the other blocks, and the
    variances (m,), noise included, that were expected of them.
    """

    error: Array
    variance: Array


def leave_out(covariance: Array, noise: Array, values: Array, blocks: Sequence[Numbers]) -> LeftOut:
    r"""Leave each block out in turn.

    With :math:`C` the covariance of the values, noise included, and :math:`B` a block,

    .. math:: y_B - \hat y_B = (C^{-1})_{BB}^{-1} (C^{-1} y)_B, \qquad
        \mathrm{cov} = (C^{-1})_{BB}^{-1}

    which is what a process fitted on the other spots says (Rasmussen and Williams 2006, 5.4.2;
    for blocks Ginsbourger and Schaerer 2021).

    Args:
        covariance: of the field at the spots, (m, m).
        noise: variance of each spot's noise, (m,).
        values: (m, q).
        blocks: spots of each; together every spot once.
    """
    factor = cho_factor(covariance + np.diag(noise), lower=True)
    inverse = cho_solve(factor, np.eye(len(noise)))
    weighed = inverse @ values
    error = np.empty_like(values)
    variance = np.empty(len(noise))
    for block in blocks:
        spread = np.linalg.inv(inverse[np.ix_(block, block)])
        error[block] = spread @ weighed[block]
        variance[block] = np.diag(spread)
    return LeftOut(error, variance)
