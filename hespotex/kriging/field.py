"""What a field of errors may look like: how far it reaches, and how strong it is beside the noise
of a spot.
"""

import operator
from dataclasses import dataclass
from functools import reduce

import numpy as np
from numpy.typing import NDArray
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, Kernel, Matern

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Field:
    """Prior of one field, in units of the noise of a spot of median depth.

    Args:
        length_um: distance over which the local part changes (Matern, once differentiable).
        weight: variance of the local part; 0 leaves it out.
        slide_um: distance over which the part that the whole slide shares changes (Gaussian).
        slide: variance of that part; 0 leaves it out.
    """

    length_um: float
    weight: float
    slide_um: float
    slide: float

    @property
    def variance(self) -> float:
        """Of the field, before any spot was looked at."""
        return self.weight + self.slide

    @property
    def simplicity(self) -> tuple[bool, bool]:
        """Lower is simpler: nothing, then the slide's part alone, then a local part."""
        return self.weight > 0, self.slide > 0

    def kernel(self) -> Kernel:
        """Covariance of the field at places in um."""
        local = ConstantKernel(self.weight, "fixed") * Matern(self.length_um, "fixed", nu=1.5)
        wide = ConstantKernel(self.slide, "fixed") * RBF(self.slide_um, "fixed")
        kernels = [
            kernel for kernel, weight in ((local, self.weight), (wide, self.slide)) if weight
        ]
        return reduce(operator.add, kernels)


NOTHING = Field(1.0, 0.0, 1.0, 0.0)
