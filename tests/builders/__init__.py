"""Small data that tests write themselves: images, sections in memory, her2st and HEST-1k
folders.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import anndata as ad
import cv2
import h5py
import numpy as np
import pandas as pd
import tifffile
from numpy.typing import NDArray
from scipy import sparse
from torch import Tensor

from hespotex.sections.section import Section, SectionKey, make_adata

Pixels = NDArray[np.uint8]
MPP = 2.0  # um per px of the folders made here
SIDE = 5  # spots along each side
GENES = ["AAA", "BBB", "CCC", "DDD"]


def picture(width: int = 300, height: int = 200, seed: int = 0) -> Pixels:
    """Smooth random RGB: every place is different, and JPEG hardly changes it."""
    coarse = np.random.default_rng(seed).integers(
        40, 250, (height // 20 + 2, width // 20 + 2, 3), dtype=np.uint8
    )
    return np.asarray(
        cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC), dtype=np.uint8
    )


def halves(image: Pixels, n_levels: int) -> list[Pixels]:
    """The image and its reductions by two."""
    levels = [image]
    for _ in range(n_levels - 1):
        levels.append(
            np.asarray(
                cv2.resize(levels[-1], None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA),
                dtype=np.uint8,
            )
        )
    return levels


def write_pyramid(
    path: Path, levels: Sequence[Pixels], mpp: float | None = None, **options: Any
) -> Path:
    """Tiled TIFF with its reductions in SubIFDs; resolution tags in pixels per cm where `mpp` is
    given.
    """
    if mpp is not None:
        options |= {"resolution": (1e4 / mpp, 1e4 / mpp), "resolutionunit": "CENTIMETER"}
    options = {"tile": (64, 64), "photometric": "rgb", **options}
    path.parent.mkdir(parents=True, exist_ok=True)
    with tifffile.TiffWriter(path) as tiff:
        tiff.write(levels[0], subifds=len(levels) - 1, metadata=None, **options)
        for level in levels[1:]:
            tiff.write(level, subfiletype=1, metadata=None, **options)
    return path


def square_grid(
    side: int = SIDE, pitch: float = 60.0, first: float = 50.0
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Spot centres (n, 2) in px and array coordinates (n, 2), both x then y."""
    row, column = np.divmod(np.arange(side**2), side)
    array = np.stack([column, row], axis=1)
    return first + pitch * array.astype(np.float64), array


def random_counts(
    n_spots: int, n_genes: int, seed: int = 0, mean: float = 5.0
) -> NDArray[np.float32]:
    return np.random.default_rng(seed).poisson(mean, (n_spots, n_genes)).astype(np.float32)


def section(
    counts: NDArray[np.float32] | None = None,
    genes: Sequence[str] | None = None,
    section_id: str = "S1",
    pos: NDArray[np.float64] | None = None,
    image: Path | None = None,
    patches: Path | None = None,
    mpp: float = MPP,
) -> Section:
    """A section in memory; by default a 5 x 5 grid with four genes."""
    pos = square_grid()[0] if pos is None else pos
    counts = random_counts(len(pos), len(GENES)) if counts is None else counts
    names = list(genes or [f"G{i:03d}" for i in range(counts.shape[1])])
    barcodes = [f"b{i:03d}" for i in range(len(pos))]
    table = make_adata(sparse.csr_matrix(counts), barcodes, names, pos)
    return Section(SectionKey(section_id, "P1"), table, mpp, "test", 120.0, 55.0, image, patches)


def write_her2st(
    root: Path, section_id: str = "A1", image_size: int = 340, genes: Sequence[str] = GENES
) -> NDArray[np.float32]:
    """One section of the her2st layout: 25 spots, 200 um = 60 px apart. One spot is not selected,
    one has no position and the table is in reverse order. Returns the counts in the order of the
    spot file."""
    pos, array = square_grid()
    counts = random_counts(len(pos), len(genes))
    names = [f"{x}x{y}" for x, y in array]
    table = pd.DataFrame(counts, index=names, columns=list(genes))[::-1]
    stray = pd.DataFrame([np.ones(len(genes))], index=["77x77"], columns=list(genes))
    spots = pd.DataFrame(
        {
            "x": array[:, 0],
            "y": array[:, 1],
            "new_x": array[:, 0] + 0.02,
            "new_y": array[:, 1] - 0.01,
            "pixel_x": pos[:, 0],
            "pixel_y": pos[:, 1],
            "selected": (np.arange(len(pos)) > 0).astype(int),
        }
    )
    folders = [
        root / "ST-cnts",
        root / "ST-spotfiles",
        root / "ST-imgs" / section_id[0] / section_id,
    ]
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
    header = "\t".join(["", *genes])
    rows = [
        f"{name}\t" + "\t".join(f"{v:g}" for v in row)
        for name, row in zip(table.index, table.to_numpy(), strict=True)
    ]
    stray_row = "77x77\t" + "\t".join(f"{v:g}" for v in stray.to_numpy()[0])
    pd.Series([]).to_csv(folders[0] / "ignored.txt")
    text = "\n".join([header, *rows, stray_row]) + "\n"
    _write_gzip(folders[0] / f"{section_id}.tsv.gz", text)
    spots.to_csv(folders[1] / f"{section_id}_selection.tsv", sep="\t", index=False)
    cv2.imwrite(str(folders[2] / "he.jpg"), picture(image_size, image_size))
    return counts


def _write_gzip(path: Path, text: str) -> None:
    import gzip

    path.write_bytes(gzip.compress(text.encode()))


def write_hest(
    root: Path,
    section_id: str = "T1",
    image: bool = True,
    patches: Sequence[int] | None = None,
    mpp: float | None = MPP,
    genes: Sequence[str] = GENES,
    spatial: bool = True,
    seed: int = 0,
    **meta: Any,
) -> NDArray[np.float32]:
    """One section of a HEST-1k folder: 25 spots, 120 um = 60 px apart. `patches`: spots that have a
    stored patch.

    `mpp` goes into the image's tags; `seed` draws image and counts; `meta` overrides the metadata.
    Returns the counts.
    """
    pos, array = square_grid()
    counts = random_counts(len(pos), len(genes), seed)
    obs = pd.DataFrame(
        {"array_row": array[:, 1], "array_col": array[:, 0]},
        index=[f"{y:03d}x{x:03d}" for x, y in array],
    )
    table = ad.AnnData(sparse.csr_matrix(counts), obs=obs, var=pd.DataFrame(index=list(genes)))
    if spatial:
        table.obsm["spatial"] = pos
    for name in ("st", "metadata", "patches"):
        (root / name).mkdir(parents=True, exist_ok=True)
    table.write_h5ad(root / "st" / f"{section_id}.h5ad")
    record = {
        "id": section_id,
        "patient": "P1",
        "dataset_title": "study",
        "inter_spot_dist": 120.0,
        "spot_diameter": 55.0,
        "st_technology": "Spatial Transcriptomics",
        "pixel_size_um_estimated": MPP,
        "pixel_size_um_embedded": float("nan"),
    }
    (root / "metadata" / f"{section_id}.json").write_text(
        json.dumps(record | meta), encoding="utf-8"
    )
    if image:
        write_pyramid(
            root / "wsis" / f"{section_id}.tif",
            halves(picture(340, 340, seed), 2),
            mpp,
            compression="deflate",
        )
    if patches is not None:
        write_patches(root / "patches" / f"{section_id}.h5", [obs.index[i] for i in patches])
    return counts


def write_patches(path: Path, barcodes: Sequence[str], side: int = 224) -> Pixels:
    """HEST patches with a corner of one colour and a centre of another, which tell the spot's
    number apart.
    """
    stored = np.zeros((len(barcodes), side, side, 3), dtype=np.uint8)
    stored[..., 1] = np.arange(len(barcodes), dtype=np.uint8)[:, None, None] * 10
    stored[:, side // 4 : -side // 4, side // 4 : -side // 4, 0] = 200
    with h5py.File(path, "w") as file:
        file["img"] = stored
        file["coords"] = np.zeros((len(barcodes), 2), dtype=np.int64)
        file["barcode"] = np.array([[b.encode()] for b in barcodes])
    return stored


class MeanColour:
    """A stub encoder: the mean colour of each patch, (n, 3), and how often it was asked."""

    name = "mean-colour"

    def __init__(
        self, patch_um: Sequence[float] = (100.0,), patch_px: int = 16, version: int = 1
    ) -> None:
        self.patch_um = list(patch_um)
        self.patch_px = patch_px
        self.version = version
        self.calls = 0
        self.patch_cut = "padded"
        self.batch_size = 64

    def identity(self) -> dict[str, Any]:
        return {"name": self.name, "version": self.version}

    def __call__(self, patches: Tensor, mpp: float) -> Tensor:
        self.calls += 1
        return patches.reshape(len(patches), -1, 3).float().mean(dim=1)


class CountByPlace:
    """A stub counter of nuclei: the spot's x in px."""

    name = "count-by-place"

    def identity(self, section: Section) -> dict[str, Any]:
        return {"version": 1}

    def __call__(self, section: Section) -> NDArray[np.float32]:
        return section.pos_px[:, 0].astype(np.float32)
