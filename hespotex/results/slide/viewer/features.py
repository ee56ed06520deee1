"""What can colour the spots, in the few bytes a page affords."""

import base64
import json
from collections.abc import Iterator
from itertools import chain
from typing import Any

import anndata as ad
import numpy as np
from numpy.typing import NDArray

from hespotex.metrics.autocorrelation import MORAN_NEIGHBOURS, Neighbours, morans_i
from hespotex.metrics.genes import Centred
from hespotex.results.slide.evidence import by_evidence, earned
from hespotex.results.slide.programmes import programme_features, reason_of
from hespotex.results.slide.table import (
    Feature,
    by_variance,
    gene_features,
    layer_features,
    positions,
    set_features,
    spot_features,
)
from hespotex.sections.graph import knn_edges

LEVELS = 255  # steps from lowest to highest value; byte 255 is "no value"
COLOUR_RANGE = (1, 99)  # percentiles at the ends of the colour bar, as in the maps
ASKED = "gene that was asked for"  # its kind on the page
STRANGENESS = "strangeness"


def chosen_features(
    table: ad.AnnData, genes: list[str], room: int, regions: NDArray[np.bool_]
) -> tuple[list[dict[str, Any]], int]:
    """Features for the page, and how many did not fit into `room` bytes (one is there in any case).

    In this order: `genes`, the numbers of each spot, programmes, gene sets, further genes; genes by
    decreasing PCC in cross-validation, those without one by decreasing variance.

    Args:
        table: of the slide.
        genes: that were asked for.
        room: bytes.
        regions: which spots lie in which, (n_regions, n_spots).
    """
    n_all = table.n_vars + sum(1 for _ in _others(table))
    features: list[dict[str, Any]] = []
    for feature in _in_order(table, genes, regions):
        room -= len(json.dumps(feature))
        if room < 0 and features:
            break
        features.append(feature)
    return features, n_all - len(features)


def _in_order(
    table: ad.AnnData, genes: list[str], regions: NDArray[np.bool_]
) -> Iterator[dict[str, Any]]:
    further = [gene for gene in by_variance(table) if gene not in set(genes)]
    near = neighbours_of(table)
    for feature in gene_features(table, by_evidence(table, genes)):
        yield _gene(table, feature, ASKED, near) | _means(feature, regions)
    for feature in _others(table):
        yield _plain(feature, near) | _means(feature, regions)
    for feature in gene_features(table, by_evidence(table, further)):
        yield _gene(table, feature, feature.kind, near) | _means(feature, regions)


def _others(table: ad.AnnData) -> Iterator[Feature]:
    """What is no gene."""
    return chain(spot_features(table), programme_features(table), set_features(table))


def neighbours_of(table: ad.AnnData) -> Neighbours:
    """The spots that count as neighbours, as in the scores of test sections."""
    um = positions(table)[["x_um", "y_um"]].to_numpy()
    return Neighbours(knn_edges(um, MORAN_NEIGHBOURS), table.n_obs)


def _gene(table: ad.AnnData, feature: Feature, kind: str, near: Neighbours) -> dict[str, Any]:
    """A gene with what it has earned, and its further layers."""
    own = earned(table, feature.name)
    layers = [_layer(layer, near) for layer in layer_features(table, feature.name)]
    known = {"kind": kind, "state": own.state, "short": own.short, "evidence": own.sentence}
    known |= {"because": reason} if (reason := reason_of(table, feature.name)) else {}
    predicted = _layer(feature, near) | {"name": "prediction"}
    return {"name": feature.name, **known, "layers": [predicted, *layers]}


def _plain(feature: Feature, near: Neighbours) -> dict[str, Any]:
    known = {"kind": feature.kind, "state": "", "short": "", "evidence": ""}
    return {"name": feature.name, **known, "layers": [_layer(feature, near)]}


def _layer(feature: Feature, near: Neighbours) -> dict[str, Any]:
    """A layer in bytes, with its Moran's I; None where that has no value."""
    moran = float(morans_i(Centred.of(feature.values[None]), near)[0])
    return quantised(feature) | {"moran": round(moran, 3) if np.isfinite(moran) else None}


def _means(feature: Feature, regions: NDArray[np.bool_]) -> dict[str, Any]:
    """Mean over the spots of each region that have a value; None without any."""
    values = [feature.values[held] for held in regions]
    known = [own[np.isfinite(own)].astype(np.float64) for own in values]
    return {"means": [float(f"{own.mean():.6g}") if len(own) else None for own in known]}


def opened(features: list[dict[str, Any]]) -> int:
    """Which feature the page opens on: the best predicted gene that was asked for, else a gene set,
    else how strange each spot is; a gene that nobody asked for only where there is nothing else.
    """
    return min(range(len(features)), key=lambda number: _wish(features[number]))


def _wish(feature: dict[str, Any]) -> int:
    """The lower, the rather the page opens on it."""
    wishes = [
        feature["kind"] == ASKED,
        feature["kind"] == "gene set",
        feature["name"] == STRANGENESS,
        feature["kind"] != "gene",
    ]
    return wishes.index(True) if True in wishes else len(wishes)


def quantised(feature: Feature) -> dict[str, Any]:
    """A layer in bytes: level = (value - min) / (max - min) * 254, rounded."""
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
        "unit": feature.unit,
        "min": lowest,
        "max": highest,
        "low": low,
        "high": high,
        "levels": base64.b64encode(levels.tobytes()).decode(),
    }
