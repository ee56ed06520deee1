"""The files of one demo section: image pyramid, expression, metadata."""

import json
from pathlib import Path

import anndata as ad
import cv2
import numpy as np
import pandas as pd
import tifffile
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from hespotex.demo.layout import MPP, SPOT_UM, Doubles, SpotGrid
from hespotex.demo.section import Section
from hespotex.demo.technologies import VISIUM, Technology

THUMBNAIL_PX = 512
MIN_LEVEL_PX = 400
Value = str | int | float


def write_image(path: Path, image: NDArray[np.uint8]) -> None:
    """Write a pyramidal tiled TIFF: 256 px tiles, deflate, resolution in pixels per cm."""
    levels = [image]
    while min(levels[-1].shape[:2]) > MIN_LEVEL_PX:
        half = cv2.resize(levels[-1], None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        levels.append(np.asarray(half, dtype=np.uint8))
    with tifffile.TiffWriter(path) as tiff:
        for k, level in enumerate(levels):
            per_cm = 1e4 / MPP * level.shape[1] / image.shape[1]
            tiff.write(
                level,
                tile=(256, 256),
                photometric="rgb",
                compression="adobe_deflate",
                predictor=True,
                resolution=(per_cm, per_cm),
                resolutionunit="CENTIMETER",
                subfiletype=int(k > 0),  # marks a reduced level, which OpenSlide looks for
                metadata=None,
            )


def spot_table(spots: SpotGrid, array: bool = True) -> pd.DataFrame:
    """Return HEST's `obs` columns, indexed by 'RRRxCCC'; the array's place of spots of Visium."""
    names = [f"{r:03d}x{c:03d}" for r, c in zip(spots.row, spots.col, strict=True)]
    columns = {
        "in_tissue": np.ones(len(names), dtype=np.int64),
        "array_row": spots.row,
        "array_col": spots.col,
        "pxl_col_in_fullres": spots.xy[:, 0],
        "pxl_row_in_fullres": spots.xy[:, 1],
    }
    table = pd.DataFrame(columns, index=pd.Index(names, dtype=object))
    return table if array else table.drop(columns=["array_row", "array_col"])


def write_expression(
    path: Path,
    values: csr_matrix | Doubles,
    names: list[str],
    spots: SpotGrid,
    image: NDArray[np.uint8],
    array: bool = True,
) -> None:
    """Write `values` (n_spots, n_genes) as an h5ad in HEST's layout, with a thumbnail."""
    scale = THUMBNAIL_PX / max(image.shape[:2])
    small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    table = ad.AnnData(
        values, obs=spot_table(spots, array), var=pd.DataFrame(index=pd.Index(names, dtype=object))
    )
    table.obsm["spatial"] = spots.xy
    factors = {"spot_diameter_fullres": SPOT_UM / MPP, "tissue_downscaled_fullres_scalef": scale}
    table.uns["spatial"] = {
        "ST": {"images": {"downscaled_fullres": small}, "scalefactors": factors}
    }
    if hasattr(ad.settings, "allow_write_nullable_strings"):
        with ad.settings.override(allow_write_nullable_strings=False):
            table.write_h5ad(path)
    else:
        table.write_h5ad(path)


def metadata(
    name: str, patient: int, number: int, section: Section, made_by: Technology
) -> dict[str, Value]:
    """Return HEST's metadata of one section; some numbers are missing, as in the real thing."""
    height, width = section.image.shape[:2]
    return {
        "id": name,
        "patient": f"P{patient + 1}",
        "dataset_title": "HESpotEx synthetic demo",
        "organ": "Breast",
        "oncotree_code": "IDC",
        "disease_state": "Cancer",
        "species": "Homo sapiens",
        "st_technology": made_by.name,
        "inter_spot_dist": made_by.pitch_um,
        "spot_diameter": made_by.diameter_um,
        "spots_under_tissue": float("nan") if number % 3 == 2 else len(section.spots.xy),
        "nb_genes": len(section.names),
        "pixel_size_um_embedded": MPP if number % 2 == 0 else float("nan"),
        "pixel_size_um_estimated": MPP,
        "magnification": "10x",
        "fullres_px_width": width,
        "fullres_px_height": height,
        "tissue": "Breast",
        "subseries": f"synthetic section {number + 1}",
        "preservation_method": "FFPE",
    }


def write_section(root: Path, section: Section, record: dict[str, Value]) -> None:
    """Write the expression, image and metadata files of one section under `root`."""
    name = str(record["id"])
    expression = root / "st" / f"{name}.h5ad"
    array = record["st_technology"] == VISIUM.name
    write_expression(expression, section.counts, section.names, section.spots, section.image, array)
    write_image(root / "wsis" / f"{name}.tif", section.image)
    (root / "metadata" / f"{name}.json").write_text(json.dumps(record, indent=2), encoding="utf-8")
