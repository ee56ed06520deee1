"""All files of one predicted slide."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import anndata as ad

from hespotex.common.files import safe_name, safe_names
from hespotex.results.figures.maps import draw_maps, draw_pair
from hespotex.results.predictions import write_h5ad
from hespotex.results.slide.evidence import earned, first_genes
from hespotex.results.slide.flat import write_flat
from hespotex.results.slide.outline import draw_tissue
from hespotex.results.slide.qupath import write_spots, write_tissue
from hespotex.results.slide.regions import FILE as REGIONS
from hespotex.results.slide.regions import region_table, write_regions
from hespotex.results.slide.spatial import write_spatialdata
from hespotex.results.slide.table import set_features
from hespotex.results.slide.trust import trust_of
from hespotex.results.slide.viewer import write_viewer
from hespotex.results.slide.viewer.tiles import FOLDER, write_tiles
from hespotex.sections.images import open_image
from hespotex.sections.regions import Region
from hespotex.sections.section import Section
from hespotex.sections.tissue import Tissue


def write_slide(
    table: ad.AnnData,
    section: Section,
    tissue: Tissue,
    genes: list[str],
    folder: Path,
    asked: list[str] | None = None,
    regions: Sequence[Region] = (),
    flat: str | None = None,
    qupath: bool = True,
    viewer_mb: float | None = 15.0,
    zoom_mb: float | None = 50.0,
    spatialdata: bool = False,
) -> None:
    """Write `{slide}.h5ad` last of all, so that where it is, the others are too.

    Args:
        table: see `slide_table`, with its gene sets scored.
        genes: those to draw; QuPath gets them, or without any `first_genes`.
        asked: those that the user has named, which come first in the viewer; None for `genes`.
        regions: those whose means go to `{slide}_regions.csv`; the viewer draws them.
        flat: `csv` or `parquet` for `{slide}_spots.*`.
        qupath: `{slide}_spots.geojson`.
        viewer_mb: size of `{slide}.html`; None leaves it out.
        zoom_mb: size of `{slide}_tiles/`, into which the page zooms; None leaves it out.
        spatialdata: `{slide}.zarr`.
    """
    slide = safe_name(section.section_id)
    draw_tissue(tissue, section, folder / f"{slide}_tissue.png")
    origin = open_image(section.image).origin if section.image else (0, 0)
    write_tissue(tissue, folder / f"{slide}_tissue.geojson", origin)
    _draw_maps(table, section.section_id, genes, folder / "maps")
    if flat:
        write_flat(table, folder / f"{slide}_spots.{flat}")
    if qupath:
        told = genes or first_genes(table, asked or [])
        write_spots(table, told, folder / f"{slide}_spots.geojson", origin)
    _write_regions(table, section.section_id, regions, folder / f"{slide}{REGIONS}")
    if viewer_mb:
        page = folder / f"{slide}.html"
        tiles = _tiles(section, tissue, folder / f"{slide}{FOLDER}", zoom_mb)
        write_viewer(table, section, asked or genes, page, viewer_mb, regions, tiles)
    if spatialdata:
        write_spatialdata(table, folder / f"{slide}.zarr")
    write_h5ad(table, folder / f"{slide}.h5ad")


def _write_regions(table: ad.AnnData, slide: str, regions: Sequence[Region], path: Path) -> None:
    path.unlink(missing_ok=True)  # of an earlier call, with regions
    if regions:
        write_regions(region_table(table, regions, slide), path)


def _tiles(
    section: Section, tissue: Tissue, folder: Path, zoom_mb: float | None
) -> dict[str, Any] | None:
    found = write_tiles(section, tissue, folder, zoom_mb) if zoom_mb else None
    if not found:  # those of an earlier call would be of no page
        shutil.rmtree(folder, ignore_errors=True)
    return found


def _draw_maps(table: ad.AnnData, slide: str, genes: list[str], folder: Path) -> None:
    name = safe_name(slide)
    scores = list(set_features(table))
    doubt = "\nNOT TO BE TRUSTED WITHOUT A CHECK" if trust_of(table.uns["hespotex"]).doubts else ""
    for gene, file in safe_names(genes).items():
        title = f"{slide}{doubt}\n{earned(table, gene).sentence}"
        draw_pair(None, table, gene, title, folder / f"{name}_{file}.png")
    files = safe_names(score.name for score in scores)
    for score in scores:
        path = folder / f"{name}_set_{files[score.name]}.png"
        draw_maps(table, {score.name: score.values}, score.unit, f"{slide}{doubt}", path)
