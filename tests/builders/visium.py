"""One section of hexagonal spots, written as Space Ranger, HEST-1k, h5ad and the flat folder have
it.
"""

import gzip
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anndata as ad
import cv2
import h5py
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse
from scipy.io import mmwrite

from . import GENES, MPP, halves, picture, random_counts, write_pyramid

# px of the image
WIDTH = 400
HEIGHT = 320
SIDE = 6  # rows, and spots a row
HIRES = 0.25  # hires px per full-resolution px
HEADER = [
    "barcode",
    "in_tissue",
    "array_row",
    "array_col",
    "pxl_row_in_fullres",
    "pxl_col_in_fullres",
]


@dataclass
class Truth:
    """What a reader should find: 36 spots, 100 um = 50 px apart."""

    barcodes: list[str]
    counts: NDArray[np.float32]
    pos: NDArray[np.float64]  # px, x then y
    array: NDArray[np.int64]  # column, row
    genes: list[str]


def truth(genes: Sequence[str] = GENES, seed: int = 0) -> Truth:
    row, number = np.divmod(np.arange(SIDE**2), SIDE)
    column = 2 * number + row % 2
    pos = np.stack([60 + 25.0 * column, 60 + 25.0 * np.sqrt(3) * row], axis=1)
    barcodes = [
        f"{'ACGT'[i % 4]}{'ACGT'[i // 4 % 4]}{'ACGT'[i // 16]}ACGTACGTACGTA-1"
        for i in range(SIDE**2)
    ]
    counts = random_counts(SIDE**2, len(genes), seed, mean=10)
    return Truth(barcodes, counts, pos, np.stack([column, row], axis=1), list(genes))


def write_matrix(
    path: Path,
    counts: Any,
    barcodes: Sequence[str],
    genes: Sequence[str],
    types: Sequence[str] = (),
) -> None:
    """Feature matrix as h5, or as a folder where the name has no ending."""
    matrix = sparse.csc_matrix(np.asarray(counts).T)
    kinds = list(types) or ["Gene Expression"] * len(genes)
    ids = [f"ENSG{i:05d}" for i in range(len(genes))]
    if path.suffix == ".h5":
        with h5py.File(path, "w") as file:
            group = file.create_group("matrix")
            for name in ("data", "indices", "indptr", "shape"):
                group[name] = np.asarray(getattr(matrix, name))
            group["barcodes"] = np.array(barcodes, dtype="S")
            for name, values in (("id", ids), ("name", genes), ("feature_type", kinds)):
                group[f"features/{name}"] = np.array(values, dtype="S")
        return
    path.mkdir(parents=True)
    mmwrite(path / "matrix.mtx", matrix)
    texts = {
        "matrix.mtx": (path / "matrix.mtx").read_text(),
        "barcodes.tsv": "".join(f"{barcode}\n" for barcode in barcodes),
        "features.tsv": "".join(
            f"{i}\t{gene}\t{kind}\n" for i, gene, kind in zip(ids, genes, kinds, strict=True)
        ),
    }
    (path / "matrix.mtx").unlink()
    for name, text in texts.items():
        (path / f"{name}.gz").write_bytes(gzip.compress(text.encode()))


def write_visium(
    outs: Path,
    matrix: str = "filtered_feature_bc_matrix.h5",
    positions: str = "tissue_positions.csv",
    prefix: str = "",
    image: Path | None = None,
    mpp: float | None = None,
    ending: str = "\n",
    encoding: str = "utf-8",
    spots: Truth | None = None,
) -> Truth:
    """An `outs/` with two spots more than it should give: one off the tissue, one without counts;
    rows are shuffled.

    `image`: where to write the microscope image, with `mpp` in its tags; `ending`, `encoding`: of
    the text files.
    """
    spots = spots or truth()
    outs.mkdir(parents=True, exist_ok=True)
    (outs / "spatial").mkdir()
    stray = np.ones((1, len(spots.genes)))
    write_matrix(
        outs / (prefix + matrix),
        np.r_[spots.counts, stray],
        [*spots.barcodes, "OFFTISSUE-1"],
        spots.genes,
    )
    rows = [
        (b, 1, r, c, y, x)
        for b, (c, r), (x, y) in zip(spots.barcodes, spots.array, spots.pos, strict=True)
    ]
    rows = [
        ("OFFTISSUE-1", 0, 0, 20, 60.0, 560.0),
        *rows[::-1],
        ("NOCOUNTS-1", 1, 0, 12, 60.0, 360.0),
    ]
    lines = [",".join(str(value) for value in row) for row in rows]
    header = [] if positions == "tissue_positions_list.csv" else [",".join(HEADER)]
    text = ending.join([*header, *lines, ""])
    (outs / "spatial" / (prefix + positions)).write_bytes(text.encode(encoding))
    scale = {
        "tissue_hires_scalef": HIRES,
        "tissue_lowres_scalef": HIRES / 4,
        "spot_diameter_fullres": 32.5,
    }
    text = json.dumps(scale, indent=1).replace("\n", ending)
    (outs / "spatial" / f"{prefix}scalefactors_json.json").write_bytes(text.encode(encoding))
    for name, share in (("tissue_hires_image.png", HIRES), ("tissue_lowres_image.png", HIRES / 4)):
        small = cv2.resize(
            picture(WIDTH, HEIGHT), None, fx=share, fy=share, interpolation=cv2.INTER_AREA
        )
        cv2.imwrite(str(outs / "spatial" / (prefix + name)), small)
    if image:
        write_image(image, mpp)
    return spots


def write_image(path: Path, mpp: float | None = None, seed: int = 0) -> Path:
    return write_pyramid(path, halves(picture(WIDTH, HEIGHT, seed), 2), mpp, compression="deflate")


def as_adata(spots: Truth) -> ad.AnnData:
    obs = pd.DataFrame(
        {"array_row": spots.array[:, 1], "array_col": spots.array[:, 0]}, index=spots.barcodes
    )
    table = ad.AnnData(
        sparse.csr_matrix(spots.counts), obs=obs, var=pd.DataFrame(index=spots.genes)
    )
    table.obsm["spatial"] = spots.pos
    return table


def write_flat(
    root: Path, section_id: str = "F1", spots: Truth | None = None, table: ad.AnnData | None = None
) -> Path:
    """`{id}.h5ad`, `{id}.tif` and `{id}.npy`: a mask of 10 px squares, each a nucleus. Returns the
    h5ad.
    """
    root.mkdir(parents=True, exist_ok=True)
    table = as_adata(spots or truth()) if table is None else table
    table.write_h5ad(root / f"{section_id}.h5ad")
    write_image(root / f"{section_id}.tif")
    rows = np.arange(HEIGHT)[:, None] // 10
    columns = np.arange(WIDTH) // 10
    np.save(root / f"{section_id}.npy", (rows * 100 + columns).astype(np.int32))
    return root / f"{section_id}.h5ad"


def write_hest_visium(root: Path, section_id: str, spots: Truth) -> None:
    """The same section as HEST-1k holds it."""
    for name in ("st", "metadata"):
        (root / name).mkdir(parents=True, exist_ok=True)
    as_adata(spots).write_h5ad(root / "st" / f"{section_id}.h5ad")
    meta = {
        "id": section_id,
        "patient": "P1",
        "dataset_title": "study",
        "st_technology": "Visium",
        "inter_spot_dist": 100.0,
        "spot_diameter": 55.0,
        "pixel_size_um_estimated": MPP,
    }
    (root / "metadata" / f"{section_id}.json").write_text(json.dumps(meta))
    write_image(root / "wsis" / f"{section_id}.tif")


def write_visium_hd(
    outs: Path, n: int = 12, image: Path | None = None, told: dict[str, Any] | None = None
) -> Truth:
    """n x n bins of 8 um = 16 px and their blocks of 16 um; those of the first column are off the
    tissue.

    Returns the 8 um bins; `told` overrides the scale factors.
    """
    row, column = np.divmod(np.arange(n**2), n)
    pos = np.stack([20 + 16.0 * column, 40 + 16.0 * row], axis=1)
    counts = random_counts(n**2, len(GENES), mean=3)
    inside = column > 0
    _write_bins(outs, 8, row, column, pos, counts, inside, told or {})
    block = (row // 2) * (n // 2) + column // 2
    pooled = sparse.csr_matrix((inside.astype(float), (block, np.arange(n**2)))) @ counts
    middle = np.stack([np.bincount(block, axis) / 4 for axis in pos.T], axis=1)
    _write_bins(
        outs,
        16,
        *np.divmod(np.arange(n**2 // 4), n // 2),
        middle,
        pooled,
        np.ones(n**2 // 4, bool),
        told or {},
    )
    if image:
        write_pyramid(image, [picture(260, 240)])
    names = [f"s_008um_{r:05d}_{c:05d}-1" for r, c in zip(row[inside], column[inside], strict=True)]
    return Truth(names, counts[inside], pos[inside], np.stack([column, row], axis=1)[inside], GENES)


def _write_bins(
    outs: Path,
    um: int,
    row: Any,
    column: Any,
    pos: Any,
    counts: Any,
    inside: NDArray[np.bool_],
    told: dict[str, Any],
) -> None:
    folder = outs / "binned_outputs" / f"square_{um:03d}um"
    (folder / "spatial").mkdir(parents=True)
    names = [f"s_{um:03d}um_{r:05d}_{c:05d}-1" for r, c in zip(row, column, strict=True)]
    write_matrix(
        folder / "filtered_feature_bc_matrix.h5",
        counts[inside],
        np.array(names)[inside].tolist(),
        GENES,
    )
    table = pd.DataFrame(
        dict(
            zip(HEADER, [names, inside.astype(int), row, column, pos[:, 1], pos[:, 0]], strict=True)
        )
    )
    table.to_parquet(folder / "spatial" / "tissue_positions.parquet")
    scale = {"microns_per_pixel": 0.5, "bin_size_um": float(um), "tissue_hires_scalef": 0.5} | told
    (folder / "spatial" / "scalefactors_json.json").write_text(json.dumps(scale))


def write_hd_cells(outs: Path, n: int = 6, ids: str = "numbers") -> Truth:
    """`segmented_outputs/` of Space Ranger 4 beside the bins: n x n cells, octagons of 9 px about
    25 px apart, written in reverse order; one more has no outline, one no counts.
    """
    row, column = np.divmod(np.arange(n**2), n)
    shift = np.random.default_rng(1).uniform(-3, 3, (n**2, 2))
    pos = np.stack([45 + 25.0 * column, 60 + 25.0 * row], axis=1) + shift
    counts = random_counts(n**2, len(GENES), 3, mean=8)
    names = [f"cellid_{i + 1:09d}-1" for i in range(n**2)]
    folder = outs / "segmented_outputs"
    (folder / "spatial").mkdir(parents=True)
    write_matrix(
        folder / "filtered_feature_cell_matrix.h5",
        np.r_[counts, np.ones((1, len(GENES)))],
        [*names, "cellid_000009999-1"],
        GENES,
    )
    angle = np.linspace(0, 2 * np.pi, 9)
    ring = 9 * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    features = [
        {
            "type": "Feature",
            "geometry": {"type": "Polygon", "coordinates": [(centre + ring).tolist()]},
            "properties": {"cell_id": i + 1 if ids == "numbers" else names[i]},
        }
        for i, centre in enumerate(pos)
    ]
    lost = features[0] | {"properties": {"cell_id": 8888}}
    content = {"type": "FeatureCollection", "features": [lost, *features[::-1]]}
    (folder / "cell_segmentations.geojson").write_text(json.dumps(content))
    scale = {"microns_per_pixel": 0.5, "tissue_hires_scalef": 0.5}
    (folder / "spatial" / "scalefactors_json.json").write_text(json.dumps(scale))
    return Truth(names, counts, pos, np.zeros((n**2, 2), dtype=np.int64), GENES)
