"""Measured spots of a serial section, carried over to a test section by what both images show."""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from hespotex.batches.fold import Fold
from hespotex.kriging import MeasuredSpots
from hespotex.nn.registration import register
from hespotex.training.replicates import picture_of, pitch_of

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Carried:
    """A serial section over a test section.

    Attributes:
        section_id: of the serial section.
        spots: its measured spots at their places in the test section, with what the image model
          says of them on their own image.
        genes: of the panel, that both sections measured, (n_genes,).
        agreement: of both images there, see `register`.
    """

    section_id: str
    spots: MeasuredSpots
    genes: NDArray[np.bool_]
    agreement: float


def carried(fold: Fold, section_id: str, predictions: Mapping[str, Tensor]) -> Iterator[Carried]:
    """Every other test section of the group, laid over this one by the images alone.

    Args:
        fold: the measured sections.
        section_id: test section.
        predictions: by the image model, (n_spots, n_genes) of each test section.
    """
    group = fold.group(section_id)
    fixed = picture_of(fold.graph(section_id).whole())
    for other in predictions:
        if other == section_id or fold.group(other) != group:
            continue
        moving = fold.graph(other).whole()
        pos, agreement = register(picture_of(moving), fixed, pitch_of(moving))
        log.info("%s laid over %s, images agree to %.2f", other, section_id, agreement)
        prepared = fold.sections[other]
        genes = prepared.target.known & fold.sections[section_id].target.known
        measured = prepared.target.dense().double().numpy()[:, genes]
        image = predictions[other].double().numpy()[:, genes]
        spots = MeasuredSpots(pos, measured, prepared.depth, image)
        yield Carried(other, spots, genes, agreement)
