"""A slide of which some spots were measured: what image and spots say together."""

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from hespotex.batches.external import FittedExpression
from hespotex.common.errors import InputError
from hespotex.genes.panel import GenePanel
from hespotex.kriging import Kriged, Kriging, MeasuredSpots, Settings
from hespotex.metrics.genes import gene_pearson
from hespotex.prediction.image_side import ImageSide
from hespotex.prediction.measured.prior import prior_of
from hespotex.prediction.measured.serial import home_of_spots, places_on
from hespotex.prediction.predictor import Predictor
from hespotex.records.build import Config, build
from hespotex.records.checkpoint import restored_target
from hespotex.records.facts import facts_in_use
from hespotex.sections.gene_names import GeneNames, called_as
from hespotex.sections.readers.slide_counts import FEWEST, read_slide_counts
from hespotex.sections.section import Section, library_size

log = logging.getLogger(__name__)
Array = NDArray[np.float64]
LABEL = "measured spots of this slide were given: no prediction from the image alone"
LABEL_SERIAL = (
    "measured spots of a serial section were carried over: no prediction from the image alone"
)
DISAGREE = 0.02  # mean correlation of image and spots below which they may be of another slide
TOP = 5  # genes that stand for a programme


@dataclass(frozen=True)
class Informed:
    """A prediction with the measured spots in it.

    `expression`, `error` (n, n_genes): `error` is NaN, and the expression the image's, for genes
    that the spots did not measure; `informed` (n,), see `Kriged`; `facts`: what was used, as plain
    values.
    """

    expression: NDArray[np.float32]
    error: NDArray[np.float32]
    informed: NDArray[np.float32]
    facts: dict[str, Any]


def with_measured(
    config: Config, predictor: Predictor, slide: Section, side: ImageSide, predicted: torch.Tensor
) -> Informed:
    """What `measured=FILE` makes of the image's prediction.

    Args:
        config: of `predict.py`.
        predictor: the image model.
        slide: what was predicted.
        side: what the image model is given of the slide.
        predicted: by the image alone, (n, n_genes).

    Raises:
        InputError: measured spots that are not of this slide, too few, or without a shared gene.
    """
    path = Path(config["measured"])
    settings: Settings = build(config["kriging"])
    home = home_of_spots(config, predictor, slide, side)
    spots = called_as(
        GeneNames()(read_slide_counts(path, home.slide, config["check_frame"])), predictor.genes
    )
    genes = shared_genes(path, spots, predictor.genes)
    spots = _with_counts(predictor, spots)
    measured = _measured(predictor, spots, home.side, genes)
    check_agreement(path, measured, config["check_frame"])
    carried: dict[str, Any] = {}
    if home.serial:
        pos, agreement = places_on(slide, spots.without_counts(), predictor)
        measured = replace(measured, pos=pos)
        carried = {"serial": config["measured_image"], "agreement": round(agreement, 3)}
    image = predicted.double().numpy()[:, genes]
    prior = prior_of(predictor, genes, settings)
    kriging = Kriging(measured, predictor.gene_spread[genes], settings, image, prior)
    together = kriging.at(slide.pos, image)
    names = [predictor.genes[i] for i in genes]
    facts = facts_of(path, kriging, names, carried)
    log.info("%s: %s", slide.section_id, facts["in_words"])
    return _placed(predicted.numpy(), genes, together, facts)


def _placed(
    image: NDArray[np.float32], genes: NDArray[np.int64], together: Kriged, facts: dict[str, Any]
) -> Informed:
    """Among all genes of the model."""
    expression = image.copy()
    error = np.full(image.shape, np.nan, dtype=np.float32)
    expression[:, genes] = together.expression
    error[:, genes] = together.error
    return Informed(expression, error, together.informed.astype(np.float32), facts)


def shared_genes(path: Path, spots: Section, genes: list[str]) -> NDArray[np.int64]:
    """Places in the model's list of the genes that were measured.

    Raises:
        InputError: none is.
    """
    measured = set(map(str, spots.adata.var_names))
    places = np.array([i for i, gene in enumerate(genes) if gene in measured], dtype=np.int64)
    if not len(places):
        raise InputError(
            f"measured={path}: none of its genes (such as {list(spots.adata.var_names[:3])}) is one"
            f" of the model's {len(genes)} (such as {genes[:3]}); give them names of the same kind"
        )
    return places


def _with_counts(predictor: Predictor, spots: Section) -> Section:
    """The spots that count as training spots did.

    Raises:
        InputError: hardly any.
    """
    least = predictor.about["config"]["data"].get("min_counts", 0)
    spots = spots.measured_spots(least)
    if len(spots.adata) < FEWEST:
        raise InputError(
            f"measured: {len(spots.adata)} spots have {least} counts or more, expected at least"
            f" {FEWEST}; leave measured out for a prediction from the image alone"
        )
    return spots


def _measured(
    predictor: Predictor, spots: Section, side: ImageSide, genes: NDArray[np.int64]
) -> MeasuredSpots:
    """The measured spots in the model's unit, with what the image says of them."""
    bare = spots.without_counts()
    predicted = predictor.ensemble(side.batches(bare))[spots.section_id]
    with facts_in_use(next(iter(predictor.ensemble.fingerprints))):
        target = FittedExpression(restored_target(predictor.about), predictor.about["genes"])
    panel = GenePanel([predictor.genes[i] for i in genes], [])
    expression = target(spots, panel).dense().double().numpy()
    depth = library_size(spots.adata.X)
    return MeasuredSpots(spots.pos, expression, depth, predicted.double().numpy()[:, genes])


def check_agreement(path: Path, spots: MeasuredSpots, refuse: bool) -> None:
    """Refuse spots that have nothing in common with the image, or warn of them.

    Raises:
        InputError: the image's prediction does not agree with them.
    """
    pcc = gene_pearson(torch.from_numpy(spots.predicted), torch.from_numpy(spots.expression))
    mean = float(pcc.nanmean())
    if mean > DISAGREE:
        return
    message = (
        f"measured={path}: the image's prediction does not agree with these spots (mean r ="
        f" {mean:.2f} over genes): are they of this slide, and in px of its full-resolution image?"
    )
    if refuse:
        raise InputError(f"{message} If they are, check_frame=false takes them all the same")
    log.warning(message)


def facts_of(
    path: Path, kriging: Kriging, genes: list[str], carried: Mapping[str, Any]
) -> dict[str, Any]:
    """What was given and which programmes use it, as plain values.

    Args:
        carried: of spots of a serial section, its image and how well both images agree; else empty.
    """
    k = len(kriging.axes)
    programmes = [
        {
            "programme": i + 1 if i < k else "what the programmes leave",
            "genes": _strongest(kriging.axes[i], genes) if i < k else [],
            "used": used,
            "left_out_error_less": round(choice.gain, 4),
            "length_um": choice.field.length_um if choice.field.weight else None,
            "weight": choice.field.weight,
            "whole_slide": bool(choice.field.slide),
        }
        for i, (choice, used) in enumerate(zip(kriging.chosen, kriging.used, strict=True))
    ]
    n_used = sum(kriging.used[:-1])
    rest = "is" if kriging.used[-1] else "is not"
    sentence = (
        f"{len(kriging.spots)} measured spots of {path.name}{_over(carried)}, {len(genes)} genes:"
        f" {n_used} of {k} programmes are put right by them, what these leave {rest}"
    )
    label = LABEL_SERIAL if carried else LABEL
    facts = {"label": label, "file": str(path), "in_words": sentence, "programmes": programmes}
    return facts | dict(carried)


def _over(carried: Mapping[str, Any]) -> str:
    if not carried:
        return ""
    return (
        f", carried over from the serial section {Path(carried['serial']).name} (images agree to"
        f" {carried['agreement']:.2f})"
    )


def _strongest(axis: Array, genes: list[str]) -> list[str]:
    """The genes of the largest part in a programme."""
    return [genes[i] for i in np.argsort(-np.abs(axis))[:TOP]]


def as_text(facts: dict[str, Any]) -> str:
    """For `uns`, which keeps no lists of dicts."""
    return json.dumps(facts)
