"""What a prediction is worth: metrics of one section, in float64, and their training-time form."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hespotex.metrics.public import (
        Centred,
        GeneMoments,
        Layout,
        Metric,
        Neighbours,
        Raster,
        SectionScores,
        gene_metrics,
        gene_pearson,
        gene_set_metrics,
        morans_i,
        own_metrics,
        section_metrics,
    )

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


def __getattr__(name: str) -> Any:
    """Imported when it is first asked for: tables need the names of metrics, and no torch."""
    if name not in __all__:
        raise AttributeError(f"module 'hespotex.metrics' has no attribute {name!r}")
    from hespotex.metrics import public

    return getattr(public, name)
