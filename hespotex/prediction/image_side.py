"""The image side of one slide: of the spots that are asked for, and of measured spots on it."""

import logging

from hespotex.batches.whole_slide import WholeSlide
from hespotex.common.errors import InputError
from hespotex.prediction.ensemble import Batches
from hespotex.prediction.predictor import Predictor, training_scale
from hespotex.records.build import Config
from hespotex.sections.readers.slide import MOSTLY, whole_tissue
from hespotex.sections.section import Section
from hespotex.sections.tissue import Tissue, slide_tissue

TISSUE = "tissue"
POSITIONS = "positions"
CONTEXTS = (TISSUE, POSITIONS)
BESIDE = 0.5  # share of the spots beside the tissue from which this is said
FEW = 20  # spots below which their own mean and spread say little
TOO_FEW = (
    "embeddings are standardised over the slide's own spots, so that predictions for so few are"
    " near the training mean"
)
BY_SPOTS = (
    "embeddings are standardised over the spots asked for, and these have neighbours among"
    " themselves only: give tissue.whole=FILE, an outline of all tissue"
)
log = logging.getLogger(__name__)


class ImageSide:
    """What the models are given of a slide.

    Args:
        config: of `predict.py`.
        predictor: the models.
        slide: with the spots that are asked for.

    Raises:
        InputError: a mask of the whole tissue that cannot be used.
    """

    def __init__(self, config: Config, predictor: Predictor, slide: Section) -> None:
        self.predictor = predictor
        self.slide = slide
        by_tissue = config["context"] == TISSUE and slide.image is not None
        self.whole = self._whole(config) if by_tissue else None
        if self.whole is None and predictor.inputs.standardize == "section":
            _warn_of_few(slide)

    @property
    def tissue(self) -> Section:
        """The slide with spots over its tissue, as far as that is known."""
        return self.whole.tissue if self.whole else self.slide

    def batches(self, spots: Section) -> Batches:
        """Of spots of this slide: those that are asked for, or others."""
        predictor = self.predictor
        if self.whole:
            return predictor.batches(self.whole.graph(spots), self.whole)
        training = training_scale(predictor.about)
        graph = predictor.inputs.assemble(
            spots, predictor.encoder, predictor.nuclei, predictor.store, training=training
        )
        return predictor.batches(graph)

    def facts(self) -> dict[str, str]:
        """What the slide was standardised over, in words; nothing where it was not."""
        if self.predictor.inputs.standardize != "section":
            return {}
        if self.whole is None:
            return {"standardized_over": f"the {len(self.slide.adata)} spots asked for"}
        n = self.whole.n_patches
        training = training_scale(self.predictor.about)
        share = training.share(n) if training else 1.0
        patches = f"{n:,} patches of the slide's tissue"
        rest = f", and by {1 - share:.0%} as the training sections" if share < 0.995 else ""
        return {"standardized_over": patches + rest}

    def _whole(self, config: Config) -> WholeSlide | None:
        """None where the slide has no tissue."""
        slide = self.slide
        tissue = slide_tissue(slide.pixels, slide.mpp, config["tissue"]["whole"], slide.section_id)
        about = self.predictor.about
        grid = whole_tissue(slide, tissue, about["pitch_um"], about.get("grid", "square"))
        if not len(grid.adata):
            log.warning("%s: no tissue is found on the slide; %s", slide.section_id, BY_SPOTS)
            return None
        _warn_of_glass(slide, tissue)
        return self.predictor.whole_slide(grid)


def _warn_of_few(slide: Section) -> None:
    if len(slide.adata) < FEW:
        log.warning("%s: %d spots: %s", slide.section_id, len(slide.adata), TOO_FEW)


def _warn_of_glass(slide: Section, tissue: Tissue) -> None:
    """Say so where what is asked for is no tissue by what the slide is standardised over."""
    beside = tissue.fraction(slide.pos_px, slide.pitch_um / slide.mpp) < MOSTLY
    if beside.mean() > BESIDE:
        log.warning(
            "%s: %.0f%% of the spots lie beside the tissue that the slide is standardised over"
            " (%s): give tissue.whole=FILE, an outline of all tissue",
            slide.section_id,
            100 * beside.mean(),
            tissue.source,
        )


def check_context(context: str) -> None:
    """Refuse another word than the known ones."""
    if context not in CONTEXTS:
        raise InputError(f"context: expected {' or '.join(CONTEXTS)}, got {context}")
