"""A Xenium bundle as Xenium Onboard Analysis writes it, with the H&E of the same tissue beside it.

Layouts: "1.0" (cell ids are numbers, tables csv.gz), "bytes" (Parquet with bytes for text), "2.0"
and later (text, Parquet), "folder" (the matrix as three files). The alignment is what Xenium
Explorer exports: 3 x 3, from px of the H&E to px of the morphology image.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from . import random_counts, write_pyramid
from .visium import write_matrix

PIXEL_SIZE = 0.2125  # um per px of the morphology image
SCALE = 4.0  # px of the morphology image per px of the H&E: 0.85 um/px
MPP = PIXEL_SIZE * SCALE
WIDTH = 600
HEIGHT = 480
SIDE = 14  # cells along each side
GENES = ["ERBB2", "KRT5", "CD8A", "ACTA2", "MKI67"]
CONTROLS = {
    "NegControlProbe_00042": "Negative Control Probe",
    "NegControlCodeword_0500": "Negative Control Codeword",
    "UnassignedCodeword_0001": "Unassigned Codeword",
    "DeprecatedCodeword_0001": "Deprecated Codeword",
}
TURN = np.array([[0.0, SCALE, 120.0], [-SCALE, 0.0, 2600.0], [0.0, 0.0, 1.0]])


@dataclass
class Cells:
    """What a reader should find: `pos` (n, 2) px of the H&E, x then y."""

    names: list[str]
    counts: NDArray[np.float32]
    pos: NDArray[np.float64]


def cells(seed: int = 0) -> Cells:
    """Cells on tissue in the middle of the H&E, about 19 um apart."""
    row, column = np.divmod(np.arange(SIDE**2), SIDE)
    jitter = np.random.default_rng(seed).uniform(-3, 3, (SIDE**2, 2))
    pos = np.stack([120 + 22.0 * column, 90 + 22.0 * row], axis=1) + jitter
    names = [
        f"{''.join('abcd'[int(d)] for d in np.base_repr(i, 4))}aaaa-1" for i in range(len(pos))
    ]
    return Cells(names, random_counts(len(pos), len(GENES), seed, mean=4), pos)


def tissue(shift: float = 0.0) -> NDArray[np.uint8]:
    """The H&E: tissue where the cells are, moved by so many px; glass around it."""
    image = np.full((HEIGHT, WIDTH, 3), 244, dtype=np.uint8)
    low = int(90 + shift)
    image[60:430, low : low + 340] = (180, 110, 170)
    noise = np.random.default_rng(0).integers(-12, 12, image.shape)
    return np.clip(image.astype(int) + noise, 0, 255).astype(np.uint8)


def um(pos: NDArray[np.float64], matrix: NDArray[np.float64] = TURN) -> NDArray[np.float64]:
    """Px of the H&E in the bundle's um."""
    return (pos @ matrix[:2, :2].T + matrix[:2, 2]) * PIXEL_SIZE


def write_xenium(
    bundle: Path,
    layout: str = "2.0",
    matrix: NDArray[np.float64] | None = TURN,
    image: str | None = "Sample_he_image.ome.tif",
    shift: float = 0.0,
    seed: int = 0,
    quality: float = 30.0,
    **facts: Any,
) -> Cells:
    """The bundle; `facts` go into `experiment.xenium`."""
    bundle.mkdir(parents=True, exist_ok=True)
    found = cells(seed)
    names = found.names if layout != "1.0" else [str(i + 1) for i in range(len(found.names))]
    features = [*GENES, *CONTROLS]
    kinds = ["Gene Expression"] * len(GENES) + list(CONTROLS.values())
    counts = np.c_[found.counts, np.ones((len(names), len(CONTROLS)))]
    if layout == "folder":
        write_matrix(bundle / "cell_feature_matrix", counts, names, features, kinds)
    else:
        write_matrix(bundle / "cell_feature_matrix.h5", counts, names, features, kinds)
    place = um(found.pos)
    table = pd.DataFrame({"cell_id": names, "x_centroid": place[:, 0], "y_centroid": place[:, 1]})
    table["transcript_counts"] = found.counts.sum(axis=1).astype(int)
    table = table[::-1]  # joined by name, never by row
    if layout == "1.0":
        table["cell_id"] = table["cell_id"].astype(int)
        table.to_csv(bundle / "cells.csv.gz", index=False)
    elif layout == "bytes":
        table["cell_id"] = [name.encode() for name in table["cell_id"]]
        table.to_parquet(bundle / "cells.parquet")
    else:
        table.to_parquet(bundle / "cells.parquet")
    _write_transcripts(bundle, layout, found, quality)
    (bundle / "experiment.xenium").write_text(
        json.dumps({"major_version": 5, "region_name": "R1", "pixel_size": PIXEL_SIZE} | facts)
    )
    if matrix is not None:
        rows = [",".join(repr(float(value)) for value in row) for row in matrix]
        (bundle / "Sample_he_imagealignment.csv").write_text("\n".join(rows) + "\n")
    if image:
        write_pyramid(bundle / image, [tissue(shift)])
    return Cells(names, found.counts, found.pos)


def _write_transcripts(bundle: Path, layout: str, found: Cells, quality: float) -> None:
    """A transcript for each count, at its cell; as many more of low quality, and some controls."""
    cell, gene = np.nonzero(found.counts)
    often = found.counts[cell, gene].astype(int)
    cell = np.repeat(cell, often)
    gene = np.repeat(gene, often)
    names = np.array(GENES, dtype=object)[gene]
    place = um(found.pos)[cell]
    table = pd.DataFrame(
        {"feature_name": names, "x_location": place[:, 0], "y_location": place[:, 1]}
    )
    poor = table.assign(qv=10.0)
    control = table.iloc[:50].assign(qv=quality, feature_name=next(iter(CONTROLS)))
    table = pd.concat([table.assign(qv=quality), poor, control])
    if layout in ("1.0", "csv"):
        table.to_csv(bundle / "transcripts.csv.gz", index=False)
        return
    if layout == "bytes":
        table["feature_name"] = [name.encode() for name in table["feature_name"]]
    table.to_parquet(bundle / "transcripts.parquet")
