"""Known nuclei, and the same ones written in every format that is read."""

import gzip
import json
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import shapely
import tifffile
from numpy.typing import NDArray

KINDS = np.array(["Neoplastic", "Inflammatory", "Connective"])


@dataclass(frozen=True)
class Known:
    """Rectangles of whole pixels, so that outlines and masks have the same centroids: `box` (n, 4)
    left, top, right, bottom in px of an image of `size` (width, height), `kind` (n,)."""

    box: NDArray[np.int64]
    kind: NDArray[np.str_]
    size: tuple[int, int]

    @property
    def centroids(self) -> NDArray[np.float64]:
        return (self.box[:, :2] + self.box[:, 2:]) / 2

    @property
    def area_px(self) -> NDArray[np.int64]:
        return np.asarray((self.box[:, 2:] - self.box[:, :2]).prod(axis=1))

    @property
    def rings(self) -> list[list[list[int]]]:
        """Closed outlines."""
        return [[[a, b], [c, b], [c, d], [a, d], [a, b]] for a, b, c, d in self.box.tolist()]


def known_nuclei(size: tuple[int, int] = (340, 330), pitch: int = 14, seed: int = 0) -> Known:
    """Nuclei on a jittered lattice, none of which touch."""
    rng = np.random.default_rng(seed)
    x, y = np.meshgrid(np.arange(2, size[0] - pitch, pitch), np.arange(2, size[1] - pitch, pitch))
    corner = np.stack([x.ravel(), y.ravel()], axis=1)
    corner = corner[rng.random(len(corner)) < 0.7]
    corner += rng.integers(0, 4, corner.shape)
    box = np.hstack([corner, corner + rng.integers(3, 9, corner.shape)])
    return Known(box, rng.choice(KINDS, len(box)), size)


def label_mask(known: Known, dtype: Any = np.int32) -> NDArray[Any]:
    """(height, width) labels, not in the order of the image."""
    mask = np.zeros(known.size[::-1], dtype=dtype)
    labels = np.random.default_rng(1).permutation(len(known.box)) + 5
    for (left, top, right, bottom), label in zip(known.box, labels, strict=True):
        mask[top:bottom, left:right] = label
    return mask


def write_cellvit_parquet(known: Known, folder: Path, section_id: str = "S1") -> None:
    outlines = shapely.to_wkb(
        np.array([shapely.Polygon(ring) for ring in known.rings], dtype=object)
    )
    table = {
        "geometry": pa.array(outlines.tolist(), pa.binary()),
        "class": known.kind.tolist(),
        "cell_id": range(len(known.box)),
    }
    pq.write_table(pa.table(table), folder / f"{section_id}_cellvit_seg.parquet", row_group_size=50)


def write_cellvit_geojson(known: Known, folder: Path, section_id: str = "S1") -> None:
    """A list with one MultiPolygon per class."""
    features = []
    for kind in np.unique(known.kind):
        rings = [[ring] for ring, own in zip(known.rings, known.kind == kind, strict=True) if own]
        properties = {"classification": {"name": str(kind), "color": [255, 0, 0]}}
        features.append(
            {
                "type": "Feature",
                "geometry": {"type": "MultiPolygon", "coordinates": rings},
                "properties": properties,
            }
        )
    with zipfile.ZipFile(
        folder / f"{section_id}_cellvit_seg.geojson.zip", "w", zipfile.ZIP_DEFLATED
    ) as archive:
        archive.writestr(f"{section_id}_cellvit_seg.geojson", json.dumps(features))


def qupath_features(known: Known) -> list[dict[str, Any]]:
    """Cells: the nucleus lies inside an outline that reaches further to the right."""
    features = []
    for ring, kind in zip(known.rings, known.kind.tolist(), strict=True):
        cell = [[x + 3 * (x > ring[0][0]), y] for x, y in ring]
        features.append(
            {
                "type": "Feature",
                "geometry": {"type": "Polygon", "coordinates": [cell]},
                "nucleusGeometry": {"type": "Polygon", "coordinates": [ring]},
                "properties": {"objectType": "cell", "classification": {"name": kind}},
            }
        )
    return features


def write_qupath(known: Known, folder: Path, section_id: str = "S1") -> None:
    value = {"type": "FeatureCollection", "features": qupath_features(known)}
    (folder / f"{section_id}.geojson").write_text(json.dumps(value), encoding="utf-8")


def write_qupath_gzip(known: Known, folder: Path, section_id: str = "S1") -> None:
    """A bare list, with a byte order mark."""
    content = json.dumps(qupath_features(known)).encode("utf-8-sig")
    (folder / f"{section_id}.geojson.gz").write_bytes(gzip.compress(content))


def write_npy(known: Known, folder: Path, section_id: str = "S1") -> None:
    np.save(folder / f"{section_id}.npy", label_mask(known))


def write_tif(known: Known, folder: Path, section_id: str = "S1") -> None:
    """Tiles, so that nuclei are cut by them."""
    tifffile.imwrite(
        folder / f"{section_id}.tif",
        label_mask(known, np.uint16),
        tile=(64, 48),
        compression="deflate",
    )


def write_strips(known: Known, folder: Path, section_id: str = "S1") -> None:
    tifffile.imwrite(
        folder / f"{section_id}_mask.tif", label_mask(known, np.uint32), rowsperstrip=7
    )


def write_csv(known: Known, folder: Path, section_id: str = "S1", mpp: float = 1.0) -> None:
    """Another order of columns, and one too many."""
    xy = known.centroids
    columns = {
        "class": known.kind,
        "y": xy[:, 1],
        "score": 1.0,
        "x": xy[:, 0],
        "area_um2": known.area_px * mpp**2,
    }
    pd.DataFrame(columns).to_csv(folder / f"{section_id}.csv", index=False)


Writer = Callable[[Known, Path, str], None]
WRITERS: dict[str, Writer] = {
    "cellvit parquet": write_cellvit_parquet,
    "cellvit geojson": write_cellvit_geojson,
    "qupath": write_qupath,
    "qupath gzip": write_qupath_gzip,
    "mask npy": write_npy,
    "mask tif": write_tif,
    "mask strips": write_strips,
    "csv": write_csv,
}
