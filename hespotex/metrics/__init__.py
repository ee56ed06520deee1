"""What a prediction is worth: metrics of one section, in float64, and their training-time form."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hespotex.metrics.autocorrelation import Neighbours, morans_i, sparse_morans_i
    from hespotex.metrics.genes import Centred, gene_pearson
    from hespotex.metrics.given import pearson_given
    from hespotex.metrics.maps import Raster
    from hespotex.metrics.moments import GeneMoments
    from hespotex.metrics.own import Metric, own_metrics
    from hespotex.metrics.section import (
        Layout,
        ceiling_metrics,
        gene_metrics,
        gene_set_metrics,
        mean_of_known,
        section_metrics,
    )
    from hespotex.metrics.training import SectionScores

__all__ = [
    "Centred",
    "GeneMoments",
    "Layout",
    "Metric",
    "Neighbours",
    "Raster",
    "SectionScores",
    "ceiling_metrics",
    "gene_metrics",
    "gene_pearson",
    "gene_set_metrics",
    "mean_of_known",
    "morans_i",
    "own_metrics",
    "pearson_given",
    "section_metrics",
    "sparse_morans_i",
]


def __getattr__(name: str) -> Any:
    """Imported when it is first asked for: tables need the names of metrics, and no torch."""
    if name not in __all__:
        raise AttributeError(f"module 'hespotex.metrics' has no attribute {name!r}")
    if name == "SectionScores":  # with torchmetrics, which takes seconds
        from hespotex.metrics.training import SectionScores

        return SectionScores
    from hespotex.metrics import autocorrelation, genes, given, maps, moments, own, section

    for module in (autocorrelation, genes, given, maps, moments, own, section):
        attribute = getattr(module, name, None)
        if getattr(attribute, "__module__", None) == module.__name__:  # not what it has imported
            return attribute
    raise AttributeError(f"module 'hespotex.metrics' does not hold {name!r}, which it promises")
