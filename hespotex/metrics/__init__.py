"""What a prediction is worth: metrics of one section, in float64, and their training-time form."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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
MODULES = ("autocorrelation", "genes", "maps", "moments", "own", "section", "training")


def __getattr__(name: str) -> Any:
    """Imported when it is first asked for: tables need the names of metrics, and no torch."""
    if name in __all__:
        for module in MODULES:
            found = import_module(f"{__name__}.{module}")
            if getattr(getattr(found, name, None), "__module__", None) == found.__name__:
                return getattr(found, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
