"""The list of metrics: what each is called, how it is computed, what it means, how tables show it.

A gene's metric is computed from a few genes of a section at a time (`FewGenes`), a section's from
all of it; the former are averaged over genes where a section has one number.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from hespotex.metrics.autocorrelation import Neighbours, morans_i
from hespotex.metrics.genes import Centred, mean_absolute_error
from hespotex.metrics.maps import Raster, ssim
from hespotex.metrics.moments import GeneMoments
from hespotex.metrics.ranks import area_under_curve, average_ranks, spearman

Values = NDArray[np.floating]
Floats = NDArray[np.float64]
SHARES = (0.1, 0.3, 0.5)  # of genes with a Pearson above this
DECIMALS = ".3f"


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
    def ranks(self) -> Floats:
        """Of the prediction."""
        return average_ranks(self.predicted)

    @cached_property
    def moments(self) -> GeneMoments:
        """Of both."""
        return GeneMoments.between(self.p, self.m)


@dataclass(frozen=True)
class Listed:
    """A metric as the tables of a section and of a sweep know it.

    Attributes:
        name: its column.
        meaning: in words, for the reference.
        heading: of its column in report and summary; without one it is in the files alone.
        format: of its numbers there.
    """

    name: str
    meaning: str
    heading: str = ""
    format: str = DECIMALS


@dataclass(frozen=True)
class GeneMetric:
    """A metric of each gene.

    Attributes:
        name: its column in `per_gene.csv`.
        of: (n_genes,), NaN where it has no value.
        mean: its mean over genes, as a metric of the section; None where that says nothing.
    """

    name: str
    of: Callable[[FewGenes], Floats]
    mean: Listed | None = None


def _gene(
    name: str, of: Callable[[FewGenes], Floats], meaning: str = "", heading: str = ""
) -> GeneMetric:
    return GeneMetric(name, of, Listed(name, meaning, heading) if meaning else None)


GENE_METRICS = (
    _gene("pcc", lambda few: few.moments.pearson().numpy()),
    _gene(
        "mse",
        lambda few: few.moments.mse().numpy(),
        "mean squared error, in squared units of the target, mean over genes",
    ),
    _gene(
        "rmse",
        lambda few: few.moments.rmse().numpy(),
        "root of it, in units of the target, mean over genes",
        "RMSE",
    ),
    _gene(
        "r2",
        lambda few: few.moments.r2().numpy(),
        "coefficient of determination, mean over genes",
        "R2",
    ),
    _gene(
        "ccc",
        lambda few: few.moments.concordance().numpy(),
        "concordance correlation (Lin 1989), mean over genes",
        "CCC",
    ),
    _gene(
        "variance_ratio",
        lambda few: few.moments.variance_ratio().numpy(),
        "variance over spots, predicted : measured, mean over genes",
        "variance ratio",
    ),
    _gene("mean_measured", lambda few: few.moments.mean_m.numpy()),
    _gene(
        "spearman",
        lambda few: spearman(few.ranks, average_ranks(few.measured)),
        "rank correlation, mean over genes",
        "Spearman",
    ),
    _gene(
        "mae",
        lambda few: mean_absolute_error(few.p, few.m),
        "mean absolute error, in units of the target, mean over genes",
        "MAE",
    ),
    _gene(
        "auc",
        lambda few: area_under_curve(few.ranks, few.measured, few.lowest),
        "area under the ROC curve of counts above 0, mean over genes",
        "AUC",
    ),
    _gene(
        "ssim",
        lambda few: ssim(few.p, few.m, few.raster),
        "structural similarity of maps, window of 7 x 7 spots, mean over genes",
        "SSIM",
    ),
    _gene("moran_measured", lambda few: morans_i(few.m, few.neighbours)),
    _gene("moran_predicted", lambda few: morans_i(few.p, few.neighbours)),
)
_MEANS = {metric.name: metric.mean for metric in GENE_METRICS if metric.mean}
# in the order of the tables; those of a mean over genes stand where readers look for them
SECTION_METRICS = (
    Listed("pcc_gene", "Pearson correlation over spots, mean over genes that have one"),
    Listed("n_genes_scored", "genes that have a Pearson correlation in the section"),
    Listed("pcc_gene_q25", "lower quartile over genes"),
    Listed("pcc_gene_median", "median over genes", "median PCC"),
    Listed("pcc_gene_q75", "upper quartile over genes"),
    Listed("share_above_0.1", "share of genes with a correlation above 0.1"),
    Listed("share_above_0.3", "share above 0.3", "share > 0.3"),
    Listed("share_above_0.5", "share above 0.5"),
    *(
        _MEANS[name]
        for name in ("spearman", "mse", "rmse", "mae", "r2", "ccc", "auc", "ssim", "variance_ratio")
    ),
    Listed(
        "pcc_spot",
        "Pearson correlation over genes, mean over spots; the mean profile alone scores high",
        "PCC of spots",
    ),
    Listed(
        "moran_correlation",
        "correlation over genes of Moran's I, measured and predicted",
        "Moran's I, r",
    ),
    Listed(
        "gene_gene_correlation",
        "correlation of the gene-gene correlation matrices",
        "gene-gene, r",
    ),
    Listed(
        "ari",
        "adjusted Rand index of clusters of the prediction against a pathologist's labels",
        "ARI",
    ),
    Listed("nmi", "normalised mutual information of the same", "NMI"),
)
AVERAGED = tuple(listed.name for listed in SECTION_METRICS if listed.name in _MEANS)
