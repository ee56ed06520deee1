"""A page to look at one predicted slide: one HTML file that needs neither network nor server."""

import base64
import json
import logging
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import anndata as ad
import cv2
import numpy as np
from jinja2 import Environment, StrictUndefined
from markupsafe import Markup
from numpy.typing import NDArray

from hespotex.common.files import atomic_path
from hespotex.results.predictions import section_picture
from hespotex.results.slide.evidence import genes_in_words
from hespotex.results.slide.programmes import chapter
from hespotex.results.slide.regions import inside
from hespotex.results.slide.table import scale_factors
from hespotex.results.slide.trust import trust_of
from hespotex.results.slide.viewer.features import ASKED, LEVELS, chosen_features, opened
from hespotex.results.slide.viewer.tiles import PICTURE_PX
from hespotex.sections.images import open_image
from hespotex.sections.regions import Region
from hespotex.sections.section import Section

log = logging.getLogger(__name__)
JPEG_QUALITY = 80
SCRIPTS = ("drawing", "tiles", "overlay", "regions", "control")
OWN_BYTES = 45_000  # of the page itself, generously
# of the page: what its values say of other slides, by how the model's inputs are standardised
LEVELS_OF = {
    "section": (
        "Levels between slides are not predicted, as the image is standardised within each slide:"
        " compare spots of this slide only."
    ),
}
FACTS = ("model", "encoder", "data", "tissue", "given")  # of uns["hespotex"], shown on the page


def write_viewer(
    table: ad.AnnData,
    section: Section,
    genes: list[str],
    path: Path,
    max_mb: float = 15.0,
    regions: Sequence[Region] = (),
    tiles: dict[str, Any] | None = None,
) -> None:
    """The slide with its spots: pan and zoom, choose what colours the spots, read their values.

    Args:
        table: see `slide_table`.
        genes: those that were asked for. They are on the page in any case and come first, and it
          opens on the best predicted of them; others follow by their PCC in cross-validation.
        max_mb: the page holds as many genes as fit; what was left out is said on it.
        regions: they are outlined, with the mean over their spots of what is shown.
        tiles: what `write_tiles` has written beside the page.
    """
    data = _slide(table, section, regions) | {"tiles": tiles}
    seen = chapter(table, section)
    room = int(max_mb * 1e6) - len(json.dumps(data)) - len(json.dumps(seen)) - OWN_BYTES
    data["features"], left_out = chosen_features(table, genes, room, inside(table, regions))
    data["start"] = opened(data["features"])
    trust = trust_of(table.uns["hespotex"])
    page = _template().render(
        title=section.section_id,
        doubts=trust.doubts,
        levels=LEVELS_OF.get(str(table.uns["hespotex"].get("standardize")), ""),
        remarks=[*trust.remarks, *_too_good(table)],
        asked=any(feature["kind"] == ASKED for feature in data["features"]),
        facts=_facts(table, section, tiles),
        tiles_folder=unquote(tiles["folder"]) if tiles else "",
        left_out=left_out,
        seen=seen,
        max_mb=f"{max_mb:g}",
        style=_part("viewer.css"),
        **{name: _part(f"{name}.js") for name in SCRIPTS},
        data=data,
    )
    with atomic_path(path) as part:
        part.write_text(page, encoding="utf-8")
    n_maps = len(data["features"])
    log.info("%s: %d maps, %d left out, %.1f MB", path, n_maps, left_out, len(page) / 1e6)


def _slide(table: ad.AnnData, section: Section, regions: Sequence[Region]) -> dict[str, Any]:
    """The picture, and on it spots and outlines of regions."""
    picture, scale = section_picture(section, PICTURE_PX)
    quality = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    jpeg = cv2.imencode(".jpg", picture[..., ::-1], quality)[1].tobytes()
    return _spots(table, scale) | {
        "picture": "data:image/jpeg;base64," + base64.b64encode(jpeg).decode(),
        "width": picture.shape[1],
        "height": picture.shape[0],
        "colours": _colours(),
        "regions": _outlines(table, regions, scale),
        "scale": scale,
        "origin": open_image(section.image).origin if section.image else (0, 0),
    }


def _spots(table: ad.AnnData, scale: float) -> dict[str, Any]:
    """Spot names and centres, and lengths, in px of the picture."""
    factors = scale_factors(table)
    xy = np.asarray(table.obsm["spatial"] * scale, dtype="<f4")
    return {
        "names": [str(name) for name in table.obs_names],
        "x": _base64(xy[:, 0]),
        "y": _base64(xy[:, 1]),
        "diameter": factors["spot_diameter_fullres"] * scale,
        "umPerPx": factors["microns_per_pixel"] / scale,
    }


def _outlines(table: ad.AnnData, regions: Sequence[Region], scale: float) -> list[dict[str, Any]]:
    """Names and outlines of the regions, in px of the picture."""
    counts = inside(table, regions).sum(axis=1)
    return [
        {
            "name": region.name,
            "class": region.class_name,
            "spots": int(n),
            "rings": [
                np.round(ring * scale, 1).tolist() for rings in region.parts for ring in rings
            ],
        }
        for region, n in zip(regions, counts, strict=True)
    ]


def _facts(table: ad.AnnData, section: Section, tiles: dict[str, Any] | None) -> dict[str, str]:
    about = {
        name: str(table.uns["hespotex"][name]) for name in FACTS if table.uns["hespotex"].get(name)
    }
    spots = f"{table.n_obs:,} of {section.spot_diameter_um:g} µm, {section.pitch_um:g} µm apart"
    own = {"values": str(table.uns["hespotex"]["unit"]), "spots": spots}
    own["pixel size"] = f"{section.mpp:.4g} µm ({section.mpp_source})"
    if tiles:
        own["zoom"] = f"down to {tiles['um']:.3g} µm a px"
    unlike = trust_of(table.uns["hespotex"]).unlike_training
    if np.isfinite(unlike):
        own["unlike training"] = f"{unlike:.0%} of the spots"
    return own | {"genes": genes_in_words(table.var)} | about


def _too_good(table: ad.AnnData) -> list[str]:
    """What makes the genes' scores better than they are for other patients."""
    leaks = map(str, table.uns["hespotex"].get("leaks", []))
    return [f"The scores of the genes are too good: {leak}" for leak in leaks]


def _colours() -> list[str]:
    """Viridis, one colour a level."""
    from matplotlib import colormaps
    from matplotlib.colors import to_hex

    return [to_hex(colour) for colour in colormaps["viridis"](np.linspace(0, 1, LEVELS))]


def _base64(values: NDArray[Any]) -> str:
    return base64.b64encode(np.ascontiguousarray(values).tobytes()).decode()


def _template() -> Any:
    source = files(__package__).joinpath("viewer.html").read_text(encoding="utf-8")
    return Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    ).from_string(source)


def _part(name: str) -> Markup:
    """Our own style and script, put in as they are."""
    return Markup(files(__package__).joinpath(name).read_text(encoding="utf-8"))
