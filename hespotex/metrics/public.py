"""What `hespotex.metrics` gives by name."""

from hespotex.metrics.autocorrelation import Neighbours, morans_i
from hespotex.metrics.genes import Centred, gene_pearson
from hespotex.metrics.maps import Raster
from hespotex.metrics.moments import GeneMoments
from hespotex.metrics.own import Metric, own_metrics
from hespotex.metrics.section import Layout, gene_metrics, gene_set_metrics, section_metrics
from hespotex.metrics.training import SectionScores

__all__ = [
    "Centred",
    "GeneMoments",
    "Layout",
    "Metric",
    "Neighbours",
    "Raster",
    "SectionScores",
    "gene_metrics",
    "gene_pearson",
    "gene_set_metrics",
    "morans_i",
    "own_metrics",
    "section_metrics",
]
