"""Predicted and measured expression as AnnData that plotting tools understand."""

from pathlib import Path
from typing import Any

import anndata as ad
import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hespotex.common.files import QUICK, atomic_path, safe_name
from hespotex.sections.images.region import thumbnail_of
from hespotex.sections.section import ARRAY, Section

THUMBNAIL_PX = 1000
MEASURED = "measured"  # layer of the table of a test section


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


def section_table(
    section: Section,
    genes: list[str],
    predicted: NDArray[np.float32],
    measured: NDArray[np.float32],
    about: dict[str, Any],
) -> ad.AnnData:
    """A section that was measured, as `spot_table` has it, with what scverse tools look for.

    `X`: predicted; `layers["measured"]`: the same spots and genes, in the same unit, NaN where a
    gene was not measured. `obs`: `section`, `patient`, `library_id` (the section's key in
    `uns["spatial"]`: squidpy's `library_key`), `in_tissue`, and `array_row`, `array_col` and
    `label` where they are known.

    Args:
        section: its group is the patient.
        genes, about: see `spot_table`.
        predicted, measured: (n_spots, n_genes) each.
    """
    table = spot_table(section, genes, predicted, about)
    table.layers[MEASURED] = np.asarray(measured, dtype=np.float32)
    labels = {
        "section": section.section_id,
        "patient": section.key.group,
        "library_id": safe_name(section.section_id),
    }
    for name, value in labels.items():
        table.obs[name] = pd.Categorical([value] * len(table))
    table.obs["in_tissue"] = 1  # spots off it are not read
    obs = section.adata.obs
    for name in (name for name in ARRAY if name in obs):
        table.obs[name] = obs[name].to_numpy()
    if section.labels is not None:
        table.obs["label"] = pd.Categorical(section.labels)
    return table


def prediction_file(folder: Path, section_id: str) -> Path:
    """Where a run has stored a test section, whether or not its name had to be told from
    another's.
    """
    names = (safe_name(section_id, always=True), safe_name(section_id))
    files = [folder / "predictions" / f"{name}_predicted.h5ad" for name in names]
    return next((file for file in files if file.is_file()), files[-1])


def write_h5ad(table: ad.AnnData, path: Path) -> None:
    """Write atomically, with strings as older readers know them."""
    ad.settings.allow_write_nullable_strings = False
    with atomic_path(path) as partial:
        table.write_h5ad(partial, compression="gzip", compression_opts=QUICK)
