"""Spots that were measured on a slide which is to be predicted: an h5ad, or a Space Ranger
folder.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from hespotex.common.errors import InputError
from hespotex.sections.images import image_facts
from hespotex.sections.images.region import thumbnail_of
from hespotex.sections.readers.checks.fullres import check_full_resolution
from hespotex.sections.readers.common import read_h5ad, read_json
from hespotex.sections.readers.libraries import libraries_of
from hespotex.sections.readers.measured import How, read_measured
from hespotex.sections.readers.slide import ALL_SPOTS, OVERRIDE
from hespotex.sections.readers.spaceranger.files import MATRIX, read_spots
from hespotex.sections.readers.spaceranger.find import find_file, need_file
from hespotex.sections.section import Section, check_spots, make_adata

FEWEST = 8  # spots: what is said of an error is chosen by leaving some of them out
SIDE = 64  # px of the pictures that are compared
ALIKE = 0.5  # correlation of their brightness
ASPECT = 0.1  # by which their shapes may differ
HOLDS = f"an h5ad with raw counts, or a Space Ranger folder ({MATRIX}.h5 and spatial/)"


def read_slide_counts(path: Path, slide: Section, check_frame: bool) -> Section:
    """The measured spots of `measured=FILE` on the image of this slide, with their counts.

    Args:
        path: h5ad, or Space Ranger `outs/`.
        slide: its image and pixel size are taken over.
        check_frame: refuse spots that are no px of the slide, or of another one's.

    Raises:
        InputError: nothing of the kind there, another frame or slide, or too few spots.
    """
    where = f"measured={path}"
    if path.is_dir():
        section, picture = _from_folder(where, path, slide)
    elif path.is_file() and path.suffix.lower() == ".h5ad":
        section, picture = _from_h5ad(path, slide, check_frame)
    else:
        kind = "another kind of file" if path.is_file() else "nothing"
        raise InputError(f"{where}: expected {HOLDS}, found {kind}")
    if len(section.adata) < FEWEST:
        raise InputError(
            f"{where}: expected at least {FEWEST} measured spots, found {len(section.adata)}; leave"
            " measured out for a prediction from the image alone"
        )
    if check_frame and picture is not None:
        check_picture(where, picture, slide)
    check_spots(section, *image_facts(slide.pixels)[0])
    return section


def check_picture(where: str, picture: NDArray[np.uint8], slide: Section) -> None:
    """Refuse spots whose own small picture is not of this slide.

    Raises:
        InputError: its shape or its brightness differs.
    """
    thumbnail, _ = thumbnail_of(slide.pixels, max(picture.shape[:2]))
    shapes = [image.shape[1] / image.shape[0] for image in (picture, thumbnail)]
    alike = 0.0
    if abs(shapes[0] / shapes[1] - 1) < ASPECT:
        alike = float(np.corrcoef(_brightness(picture), _brightness(thumbnail))[0, 1])
    if not alike >= ALIKE:
        raise InputError(
            f"{where}: the picture that comes with these spots is not of the slide"
            f" {slide.section_id} (brightness correlates by {alike:.2f}): are they of another"
            f" slide, or was it turned? Give the file of this slide, or take them with {OVERRIDE}"
        )


def _brightness(picture: NDArray[np.uint8]) -> NDArray[np.float64]:
    small = cv2.resize(picture, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    return np.asarray(small, dtype=np.float64)[..., :3].mean(axis=2).ravel()


def _from_folder(
    where: str, path: Path, slide: Section
) -> tuple[Section, NDArray[np.uint8] | None]:
    """Spots of `outs/`, or of the folder around it, and the picture there."""
    outs = path / "outs" if (path / "outs").is_dir() else path
    spots = read_spots(where, outs)
    scale = read_json(need_file(outs, "scalefactors_json.json"))
    size, _ = image_facts(slide.pixels)
    check_full_resolution(where, slide.pixels, size, outs, scale, spots.pos_px)
    file = find_file(outs, "tissue_hires_image.png")
    picture: Any = cv2.imread(str(file)) if file else None
    table = make_adata(spots.counts, spots.barcodes, spots.genes, spots.pos_px, where)
    return slide.with_adata(table), picture


def _from_h5ad(
    path: Path, slide: Section, check_frame: bool
) -> tuple[Section, NDArray[np.uint8] | None]:
    """Spots of an h5ad, and the picture that scanpy keeps with them."""
    how = How(all_spots=ALL_SPOTS, override=OVERRIDE, check_frame=check_frame)
    spots = read_measured(path.name, path, how)
    if check_frame:
        spots.frame.check_turn()
        spots.frame.check_image(slide.pixels, image_facts(slide.pixels)[0])
    table = make_adata(spots.counts, spots.barcodes, spots.genes, spots.pos, path.name)
    libraries = libraries_of(read_h5ad(path).uns.get("spatial"))
    pictures = [picture for one in libraries.values() if (picture := _hires(one)) is not None]
    return slide.with_adata(table), pictures[0] if len(pictures) == 1 else None


def _hires(library: Mapping[str, Any]) -> NDArray[np.uint8] | None:
    """Its small picture as bytes; None where there is none that is a picture."""
    images = library.get("images")
    picture = np.asarray(images.get("hires")) if isinstance(images, Mapping) else np.empty(0)
    if picture.ndim != 3 or picture.shape[2] < 3 or picture.dtype.kind not in "fu":
        return None
    scale = 255 if picture.dtype.kind == "f" and picture.max() <= 1 else 1
    return (picture[..., :3] * scale).astype(np.uint8)
