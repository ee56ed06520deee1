"""Predicted and measured expression as AnnData that plotting tools understand."""

from pathlib import Path
from typing import Any

import anndata as ad
import cv2
import numpy as np
from numpy.typing import NDArray

from hespotex.data.images.region import thumbnail_of
from hespotex.data.section import Section
from hespotex.files import atomic_path, safe_name

THUMBNAIL_PX = 1000


def spot_table(
    section: Section, genes: list[str], expression: NDArray[np.float32], about: dict[str, Any]
) -> ad.AnnData:
    """Expression (n_spots, n_genes) with spot positions (px), thumbnail and scale factors, as
    scanpy plots it.

    `uns["spatial"][section_id]` holds `images["hires"]` and `scalefactors`; `uns["hespotex"]` what
    made it.
    """
    table = ad.AnnData(X=np.asarray(expression, dtype=np.float32))
    table.obs_names = section.barcodes
    table.var_names = genes
    table.obsm["spatial"] = section.pos_px
    table.uns["spatial"] = {safe_name(section.section_id): _library(section)}
    table.uns["hespotex"] = about
    return table


def _library(section: Section) -> dict[str, Any]:
    picture, scale = section_picture(section)
    factors = {
        "tissue_hires_scalef": scale,
        "spot_diameter_fullres": section.spot_diameter_um / section.mpp,
        "microns_per_pixel": section.mpp,
    }
    return {"images": {"hires": picture}, "scalefactors": factors, "metadata": {"mpp": section.mpp}}


def section_picture(
    section: Section, longest: int = THUMBNAIL_PX
) -> tuple[NDArray[np.uint8], float]:
    """Thumbnail of the section, white where only patches are stored, and its px per full-resolution
    px.
    """
    if section.image is not None:
        return thumbnail_of(section.image, longest)
    extent = section.pos_px.max(axis=0) + section.pitch_um / section.mpp
    scale = min(1.0, longest / extent.max())
    width, height = (extent * scale).astype(int)
    return np.asarray(
        cv2.merge([np.full((height, width), 255, np.uint8)] * 3), dtype=np.uint8
    ), float(scale)


def prediction_file(folder: Path, section_id: str, kind: str) -> Path:
    """Where a run has stored a test section, whether or not its name had to be told from another's.

    Args:
        kind: "predicted" or "measured".
    """
    names = (safe_name(section_id, always=True), safe_name(section_id))
    files = [folder / "predictions" / f"{name}_{kind}.h5ad" for name in names]
    return next((file for file in files if file.is_file()), files[-1])


def write_h5ad(table: ad.AnnData, path: Path) -> None:
    """Write atomically, with strings as older readers know them."""
    ad.settings.allow_write_nullable_strings = False
    with atomic_path(path) as part:
        table.write_h5ad(part, compression="gzip")
