"""The size of nuclei as a ruler: on a slide, and in the training sections."""

import logging
from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from hespotex.common.errors import InputError
from hespotex.embeddings.embed import spots_identity
from hespotex.embeddings.store import EmbeddingStore, Request
from hespotex.histology.chord import nuclear_chord
from hespotex.sections.images import open_image
from hespotex.sections.images.region import read_padded
from hespotex.sections.section import Section

log = logging.getLogger(__name__)
TILES = 24  # of a section, at most
TILE_PX = 512
NAME = "nuclear-size"
VERSION = 1  # raise it when the same tiles give another size
# Chords of sections of one data set differ by a tenth, of tissues and scanners by up to 1.8
# (experiments/levels), so that only a larger difference tells of a wrong pixel size.
SAID = 1.5
REFUSED = 2.2
OVERRIDE = "check_mpp=false"


def nuclear_size(section: Section, store: EmbeddingStore) -> float:
    """Chord of nuclei (um) on tiles at some of the spots; NaN where there is none, or no image.

    Raises:
        InputError: an image that cannot be read.
    """
    if section.image is None or not len(section.adata):
        return float("nan")
    spots = np.unique(np.linspace(0, len(section.adata) - 1, TILES).round().astype(int))
    some = section.keep(spots.tolist())
    identity = spots_identity(some) | {NAME: VERSION, "tile_px": TILE_PX}
    request = Request(some.section_id, NAME, identity, some.barcodes)
    rows = store.load(request, lambda _: [_rows(some)])
    size = float(rows[:][0, 0])
    return size if size > 0 else float("nan")


def _rows(section: Section) -> NDArray[np.float32]:
    """The size beside each spot, as the store keeps it: 0 for none."""
    size = np.nan_to_num(nuclear_chord(list(_tiles(section))) * section.mpp)
    return np.full((len(section.adata), 1), size, dtype=np.float32)


def _tiles(section: Section) -> Iterator[NDArray[np.uint8]]:
    image = open_image(section.pixels)
    for x, y in section.pos_px.round().astype(int):
        left, top = x - TILE_PX // 2, y - TILE_PX // 2
        yield read_padded(image, 0, int(left), int(top), TILE_PX, TILE_PX)


def training_size(sections: Iterable[Section], store: EmbeddingStore) -> float | None:
    """Geometric mean over the training sections; None where none of them has an image."""
    sizes = np.array([nuclear_size(section, store) for section in sections])
    known = sizes[np.isfinite(sizes)]
    return float(np.exp(np.log(known).mean())) if len(known) else None


def check_by_nuclei(slide: Section, trained: float | None, store: EmbeddingStore) -> None:
    """Compare the nuclei of a slide with those of training.

    Args:
        slide: with spots on its tissue.
        trained: of the training sections; None where that is not known, and nothing is checked.

    Raises:
        InputError: by its pixel size they are more than 2.2 times as large, or as small.
    """
    size = float("nan") if trained is None else nuclear_size(slide, store)
    if trained is None or not np.isfinite(size):
        log.info("%s: its pixel size is not checked by the size of nuclei", slide.section_id)
        return
    ratio = size / trained
    words = (
        f"at {slide.mpp:.4g} um per px ({slide.mpp_source}) the nuclei are {size:.1f} um across,"
        f" and {trained:.1f} um in the training sections"
    )
    if max(ratio, 1 / ratio) > REFUSED:
        raise InputError(
            f"{slide.section_id}: {words}. By the nuclei of training it would be"
            f" {slide.mpp / ratio:.2g} um per px: set mpp=UM_PER_PX, or {OVERRIDE} if"
            f" {slide.mpp:.4g} is right and the tissue is another"
        )
    if max(ratio, 1 / ratio) > SAID:
        log.warning("%s: %s: is mpp right?", slide.section_id, words)
