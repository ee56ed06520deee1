"""What can colour the spots, in the few bytes a page affords."""

import base64
from itertools import chain
from typing import Any

import anndata as ad
import numpy as np

from hespotex.results.slide.table import (
    Feature,
    by_variance,
    gene_features,
    set_features,
    spot_features,
)

LEVELS = 255  # steps from lowest to highest value; byte 255 is "no value"
COLOUR_RANGE = (1, 99)  # percentiles at the ends of the colour bar, as in the maps
JSON_BYTES = 200  # of a feature without its values


def chosen_features(
    table: ad.AnnData, genes: list[str], room: int
) -> tuple[list[dict[str, Any]], int]:
    """Features for the page, and how many did not fit into `room` bytes (one is there in any case).

    In this order: `genes`, the numbers of each spot, gene sets, further genes by decreasing
    variance.
    """
    further = [gene for gene in by_variance(table) if gene not in set(genes)]
    n_all = (
        table.n_vars + sum(1 for _ in spot_features(table)) + sum(1 for _ in set_features(table))
    )
    n_fit = max(1, room // (4 * table.n_obs // 3 + JSON_BYTES))
    ordered = chain(
        gene_features(table, genes),
        spot_features(table),
        set_features(table),
        gene_features(table, further),
    )
    features = [quantised(feature) for feature, _ in zip(ordered, range(n_fit), strict=False)]
    return features, n_all - len(features)


def quantised(feature: Feature) -> dict[str, Any]:
    """A feature in bytes: level = (value - min) / (max - min) * 254, rounded."""
    known = np.isfinite(feature.values)
    values = feature.values[known].astype(np.float64)
    lowest, highest = (float(values.min()), float(values.max())) if len(values) else (0.0, 0.0)
    low, high = (
        (float(v) for v in np.percentile(values, COLOUR_RANGE)) if len(values) else (0.0, 0.0)
    )
    levels = np.full(len(known), LEVELS, dtype=np.uint8)
    levels[known] = np.round((values - lowest) / ((highest - lowest) or 1) * (LEVELS - 1))
    return {
        "name": feature.name,
        "kind": feature.kind,
        "unit": feature.unit,
        "min": lowest,
        "max": highest,
        "low": low,
        "high": high,
        "levels": base64.b64encode(levels.tobytes()).decode(),
    }
