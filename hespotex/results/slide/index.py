"""`index.html`: all predicted slides of a folder, a row each, and what to be careful about."""

import base64
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import quote

import anndata as ad
import cv2
import numpy as np
from jinja2 import Environment, StrictUndefined
from numpy.typing import NDArray

from hespotex.common.counted import counted
from hespotex.common.failures import failure_of, read_failed
from hespotex.common.files import atomic_path, visible
from hespotex.common.hdf5 import open_hdf5
from hespotex.common.progress import progress_bar
from hespotex.results.slide.trust import KEY, Trust, trust_of

INDEX = "index.html"
LONGEST_PX = 260  # of a thumbnail: twice its size on the page, for sharp screens
JPEG_QUALITY = 75
MANY = 20  # slides from which there is a progress bar
UNKNOWN = "not known"
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Row:
    """One slide, as the page shows it.

    Attributes:
        name: of the slide.
        page: address of its own page, or of the picture of its tissue; "" without either.
        picture: thumbnail as data.
        spots, tissue, unlike, pixel_size: numbers in words.
        trust: doubts and remarks.
        model: what predicted it.
        failure: why it was not predicted.
    """

    name: str
    page: str = ""
    picture: str = ""
    spots: str = ""
    tissue: str = ""
    unlike: str = ""
    pixel_size: str = ""
    trust: Trust = field(default_factory=Trust)
    model: str = ""
    failure: str = ""


def write_index(folder: Path) -> None:
    """Write the page from the tables of all slides that lie in a folder, whichever call predicted
    them; none where there is no slide.
    """
    tables = visible(folder, "*.h5ad")
    if not tables:
        return
    failed = read_failed(folder)
    rows = []
    with progress_bar(len(tables), "index", "slides", disable=len(tables) < MANY) as bar:
        for table in tables:
            rows.append(_row(table))
            bar.update()
    rows += [Row(name, failure=why) for name, why in failed.items() if name not in _names(rows)]
    page = _template().render(
        title=f"{folder.resolve().name}: predicted slides",
        summary=_summary(rows),
        models=list(dict.fromkeys(row.model for row in rows if row.model)),
        rows=sorted(rows, key=lambda row: row.name.casefold()),
    )
    with atomic_path(folder / INDEX) as part:
        part.write_text(page, encoding="utf-8")
    log.info("%s: all slides, a row each", folder / INDEX)


def _names(rows: list[Row]) -> set[str]:
    return {row.name for row in rows}


def _summary(rows: list[Row]) -> str:
    """How many slides there are, and how many of them are in doubt."""
    n_failed = sum(bool(row.failure) for row in rows)
    n_doubted = sum(bool(row.trust.doubts) for row in rows)
    n_slides = counted(len(rows) - n_failed, "slide")
    text = f"{n_slides} predicted, {n_doubted} of them not to be trusted"
    return f"{text} without a check" + (
        f"; {n_failed} could not be predicted." if n_failed else "."
    )


def _row(table: Path) -> Row:
    """A slide by its own table, read without the prediction."""
    try:
        with open_hdf5(table) as file:
            uns = ad.io.read_elem(file["uns"])
            n_spots = len(ad.io.read_elem(file["obs"]))
        library = next(iter(uns["spatial"].values()))
        return _of_slide(table, uns["hespotex"], library, n_spots)
    except Exception as error:  # a torn file of an earlier call is no reason to fail
        return Row(table.stem, failure=f"{table.name} cannot be read ({failure_of(error).reason})")


def _of_slide(
    table: Path, about: Mapping[str, Any], library: Mapping[str, Any], n_spots: int
) -> Row:
    own = about.get(KEY, {})
    trust = trust_of(about)
    mpp = float(library["scalefactors"]["microns_per_pixel"])
    return Row(
        name=table.stem,
        page=_page(table),
        picture=_thumbnail(library["images"]["hires"]),
        spots=f"{n_spots:,}",
        tissue=f"{float(own['tissue_mm2']):.3g}" if "tissue_mm2" in own else UNKNOWN,
        unlike=_share(trust.unlike_training),
        pixel_size=f"{mpp:.4g} ({own.get('mpp_source', f'source {UNKNOWN}')})",
        trust=trust,
        model="{} trained on {}, encoder {}".format(
            *(about.get(name, "unknown") for name in ("model", "data", "encoder"))
        ),
    )


def _share(value: float) -> str:
    return f"{value:.0%}" if np.isfinite(value) else UNKNOWN


def _page(table: Path) -> str:
    """What a click on the slide opens."""
    names = (f"{table.stem}.html", f"{table.stem}_tissue.png")
    return next((quote(name) for name in names if table.with_name(name).is_file()), "")


def _thumbnail(picture: NDArray[np.uint8]) -> str:
    scale = min(1.0, LONGEST_PX / max(picture.shape[:2]))
    small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    jpeg = cv2.imencode(".jpg", small[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1]
    return "data:image/jpeg;base64," + base64.b64encode(jpeg.tobytes()).decode()


def _template() -> Any:
    source = files(__package__).joinpath(INDEX).read_text(encoding="utf-8")
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.from_string(source)
