"""Spots measured on a serial section, carried over to the slide by what both images show."""

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from hespotex.common.errors import InputError
from hespotex.embeddings.embed import embed_section
from hespotex.nn.registration import Picture, register
from hespotex.prediction.image_side import ImageSide
from hespotex.prediction.predictor import Predictor
from hespotex.prediction.slide_list import SlideFile
from hespotex.prediction.slide_spots import read_spots
from hespotex.records.build import Config
from hespotex.sections.section import Section

log = logging.getLogger(__name__)
Array = NDArray[np.float64]
NEIGHBOURS = 6
AGREE = 0.1  # of both images, below which they may not be of the same tissue


@dataclass(frozen=True)
class Home:
    """The slide on which spots were measured: the one that is predicted, or a serial section.

    Attributes:
        slide: with some spots.
        side: what the image model is given of it.
        serial: whether it is another section.
    """

    slide: Section
    side: ImageSide
    serial: bool


def home_of_spots(config: Config, predictor: Predictor, slide: Section, side: ImageSide) -> Home:
    """Where `measured=FILE` was measured, by `measured_image=IMAGE`.

    Raises:
        InputError: there is no such image, or no tissue on it.
    """
    image = config["measured_image"]
    if image is None:
        return Home(slide, side, serial=False)
    if not Path(image).is_file():
        raise InputError(f"measured_image={image}: expected the image of a serial section")
    tissue = {**config["tissue"], "mask": None, "whole": None}
    own = config | {"positions": None, "mpp": config["measured_mpp"], "tissue": tissue}
    file = SlideFile(Path(image), told_as=f"serial_{Path(image).stem}")
    serial, _ = read_spots(file, own, predictor.about)
    return Home(serial, ImageSide(own, predictor, serial), serial=True)


def places_on(slide: Section, spots: Section, predictor: Predictor) -> tuple[Array, float]:
    """Where spots of a serial section lie on the slide, (m, 2), um, and how well the images then
    agree.
    """
    fixed = _picture(slide, predictor)
    pos, agreement = register(_picture(spots, predictor), fixed, slide.pitch_um)
    log.info("%s: measured spots carried over, images agree to %.2f", slide.section_id, agreement)
    if agreement < AGREE:
        log.warning(
            "%s: the serial section's image hardly agrees with it (%.2f; 1 is the same image): is"
            " it of the same block, and not mirrored?",
            slide.section_id,
            agreement,
        )
    return pos, agreement


def _picture(section: Section, predictor: Predictor) -> Picture:
    """Embeddings smoothed over neighbours, which register better than single spots."""
    x = np.asarray(embed_section(section, predictor.encoder, predictor.store)[:], dtype=np.float64)
    near = cKDTree(section.pos).query(section.pos, k=min(NEIGHBOURS + 1, len(x)))[1]
    x = x + x[near.reshape(len(x), -1)[:, 1:]].mean(axis=1)
    return Picture(section.pos, (x - x.mean(axis=0)) / np.maximum(x.std(axis=0), 1e-6))
