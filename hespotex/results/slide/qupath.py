"""GeoJSON that QuPath 0.4 and later reads (drag it onto the slide): spots as detections, tissue as
an annotation.

A FeatureCollection in full-resolution px, from the corner of the scanned area where the scanner
tells one, as QuPath counts; `properties` hold `objectType`, `name`, `classification` and
`measurements` (name: number), as QuPath's own export writes them.
"""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
from numpy.typing import NDArray

from hespotex.common.files import atomic_path
from hespotex.results.slide.table import gene_features, scale_factors, set_features, spot_features
from hespotex.sections.tissue import Tissue

CORNERS = 16  # of the polygon that stands for a round spot: GeoJSON has no circles
TISSUE_COLOUR = [0, 160, 60]  # RGB, no colour of H&E


def write_spots(
    table: ad.AnnData, genes: Sequence[str], path: Path, origin: tuple[int, int] = (0, 0)
) -> None:
    """One detection a spot, measured by `genes`, gene sets and the numbers of `obs`; values that
    are NaN are left out.

    `origin`: corner of the scanned area, from which QuPath counts.
    """
    features = [*gene_features(table, genes), *set_features(table), *spot_features(table)]
    angle = 2 * np.pi * np.arange(CORNERS) / CORNERS
    circle = (
        np.stack([np.cos(angle), np.sin(angle)], axis=1)
        * scale_factors(table)["spot_diameter_fullres"]
        / 2
    )

    def spots() -> Iterable[dict[str, Any]]:
        for i, (name, centre) in enumerate(
            zip(table.obs_names, table.obsm["spatial"], strict=True)
        ):
            values = {
                f.name: float(f"{f.values[i]:.6g}") for f in features if np.isfinite(f.values[i])
            }
            facts = {"objectType": "detection", "name": str(name), "measurements": values}
            yield _feature("Polygon", [_ring(centre + circle - np.asarray(origin))], facts)

    _write(spots(), path)


def write_tissue(tissue: Tissue, path: Path, origin: tuple[int, int] = (0, 0)) -> None:
    """The outline of the tissue with its holes, one annotation; `origin` as above."""
    pieces = [[_ring(ring - np.asarray(origin)) for ring in rings] for rings in tissue.pieces()]
    facts = {
        "objectType": "annotation",
        "classification": {"name": "Tissue", "color": TISSUE_COLOUR},
        "isLocked": True,
    }
    _write([_feature("MultiPolygon", pieces, facts)], path)


def _feature(kind: str, coordinates: list[Any], properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "Feature",
        "geometry": {"type": kind, "coordinates": coordinates},
        "properties": properties,
    }


def _ring(points: NDArray[np.float64]) -> list[list[float]]:
    return np.round(np.vstack([points, points[:1]]), 1).tolist()  # type: ignore[no-any-return]


def _write(features: Iterable[dict[str, Any]], path: Path) -> None:
    """One feature a line, written as it is made."""
    with atomic_path(path) as part, part.open("w", encoding="utf-8") as file:
        file.write('{"type": "FeatureCollection", "features": [')
        for number, feature in enumerate(features):
            file.write((",\n" if number else "\n") + json.dumps(feature))
        file.write("\n]}\n")
