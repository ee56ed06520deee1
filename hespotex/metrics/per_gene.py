"""The metrics of each gene, computed from a few genes of a section at a time."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from hespotex.metrics.autocorrelation import Neighbours, morans_i
from hespotex.metrics.genes import Centred, mean_absolute_error
from hespotex.metrics.maps import Raster, ssim
from hespotex.metrics.moments import GeneMoments
from hespotex.metrics.names import SECTION_METRICS
from hespotex.metrics.ranks import rank_metrics

Values = NDArray[np.floating]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class FewGenes:
    """Some genes of a section, (n_genes, n_spots), and what several metrics need of them.

    Attributes:
        predicted, measured: expression.
        raster: the spots as a picture.
        neighbours: of each spot.
        lowest: no target is below it; see `gene_metrics`.
    """

    predicted: Values
    measured: Values
    raster: Raster
    neighbours: Neighbours
    lowest: float

    @cached_property
    def p(self) -> Centred:
        """The prediction, centred."""
        return Centred.of(self.predicted)

    @cached_property
    def m(self) -> Centred:
        """The measurement, centred."""
        return Centred.of(self.measured)

    @cached_property
    def ranks(self) -> tuple[Floats, Floats]:
        """Spearman's correlation and the area under the ROC curve."""
        return rank_metrics(self.predicted, self.measured, self.lowest)

    @cached_property
    def moments(self) -> GeneMoments:
        """Of both."""
        return GeneMoments.between(self.p, self.m)


GENE_METRICS: dict[str, Callable[[FewGenes], Floats]] = {  # columns of `per_gene.csv`
    "pcc": lambda few: few.moments.pearson().numpy(),
    "mse": lambda few: few.moments.mse().numpy(),
    "rmse": lambda few: few.moments.rmse().numpy(),
    "r2": lambda few: few.moments.r2().numpy(),
    "ccc": lambda few: few.moments.concordance().numpy(),
    "variance_ratio": lambda few: few.moments.variance_ratio().numpy(),
    "mean_measured": lambda few: few.moments.mean_m.numpy(),
    "spearman": lambda few: few.ranks[0],
    "mae": lambda few: mean_absolute_error(few.p, few.m),
    "auc": lambda few: few.ranks[1],
    "ssim": lambda few: ssim(few.p, few.m, few.raster),
    "moran_measured": lambda few: morans_i(few.m, few.neighbours),
    "moran_predicted": lambda few: morans_i(few.p, few.neighbours),
}
# of which the mean over genes is a metric of the section
AVERAGED = tuple(listed.name for listed in SECTION_METRICS if listed.name in GENE_METRICS)
