"""One slide: from the image to all of its outputs."""

import json
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from hespotex.batches.external import trained_on
from hespotex.batches.nuclear_size import check_by_nuclei
from hespotex.common.errors import InputError
from hespotex.embeddings.embed import count_nuclei, embed_section
from hespotex.prediction.image_side import ImageSide, check_context
from hespotex.prediction.measured.informed import Informed, as_text, with_measured
from hespotex.prediction.predictor import Predictor
from hespotex.prediction.seen import programmes_in, slide_programmes
from hespotex.prediction.slide_list import SlideFile
from hespotex.prediction.slide_spots import read_spots
from hespotex.records.build import Config
from hespotex.results.about import panel_rule
from hespotex.results.slide.gene_sets import read_gmt, score_gene_sets
from hespotex.results.slide.index import INDEX
from hespotex.results.slide.programmes import SlideProgrammes, add_programmes
from hespotex.results.slide.regions import mark_spots
from hespotex.results.slide.request import KEY, MODEL, check_model, is_current, slide_request
from hespotex.results.slide.table import STANDARD_ERROR, slide_table
from hespotex.results.slide.trust import KEY as SLIDE
from hespotex.results.slide.trust import Trust
from hespotex.results.slide.write import write_slide
from hespotex.sections.regions import Region, slide_regions
from hespotex.sections.section import Section
from hespotex.sections.tissue import Tissue

OUTPUTS = ("flat", "qupath", "viewer_mb", "zoom_mb", "spatialdata")
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Predicted:
    """A slide's table, the spots it was predicted at, its tissue, and its regions."""

    table: ad.AnnData
    section: Section
    tissue: Tissue
    regions: list[Region]


class SlideWriter:
    """Predicts slides and writes what the config asks for.

    Args:
        config: of `predict.py`.
        predictor: what predicts.
    """

    def __init__(self, config: Config, predictor: Predictor) -> None:
        self.config = config
        self.predictor = predictor
        self.genes: list[str] = config["genes"] or predictor.genes
        check_context(config["context"])
        self.drawn: list[str] = list(dict.fromkeys(config["map_genes"]))
        if left_out := [gene for gene in self.drawn if gene not in set(self.genes)]:
            raise InputError(
                f"map_genes: {', '.join(left_out)} would be drawn, but genes={self.genes[:5]}"
                " leaves them out"
            )
        self.asked: list[str] = list(dict.fromkeys([*self.drawn, *(config["genes"] or [])]))
        self.sets = read_gmt(Path(config["gene_sets"])) if config["gene_sets"] else {}

    def check(self, slides: Iterable[SlideFile]) -> None:
        """Refuse, before any work, slides of which the output holds another model's prediction, or
        whose page would take the place of the index.
        """
        slides = list(slides)
        if clashes := [slide.path for slide in slides if slide.name.casefold() == Path(INDEX).stem]:
            raise InputError(
                f"{clashes[0]}: its page would be {INDEX}, which lists all slides; give it another"
                " name"
            )
        tables = [Path(self.config["output"]) / f"{slide.name}.h5ad" for slide in slides]
        if not self.config["restart"]:
            check_model(tables, self.predictor.provenance[MODEL])

    def __call__(self, slide: SlideFile) -> None:
        """Write all files of one slide; what is there already is kept, if this model made it for
        this request.

        Raises:
            InputError: it cannot be predicted.
        """
        output = Path(self.config["output"])
        target = output / f"{slide.name}.h5ad"
        request = slide_request(self.config, slide.path, slide.mpp, slide.title)
        if self.config["programmes"]:
            request["programmes"] = programmes_in(self.predictor)
        if not self.config["restart"] and is_current(target, request):
            log.info("%s is there already (restart=true makes it anew)", target)
            return
        prediction = self.of_slide(slide)
        table = prediction.table
        stamp = {KEY: json.dumps(request, sort_keys=True)}
        table.uns["hespotex"] = table.uns["hespotex"] | stamp
        if self.sets:
            score_gene_sets(table, self.sets)
        write_slide(
            table,
            prediction.section,
            prediction.tissue,
            self.drawn,
            output,
            asked=self.asked,
            regions=prediction.regions,
            **{name: self.config[name] for name in OUTPUTS},
        )
        log.info(
            "%s: %d genes at %d spots (%.3f um/px, %s)",
            target,
            table.n_vars,
            len(table),
            prediction.section.mpp,
            prediction.section.mpp_source,
        )

    def of_slide(self, slide: SlideFile) -> Predicted:
        """A slide's prediction, and where it was predicted; nothing is written.

        Raises:
            InputError: it cannot be predicted.
        """
        trust = Trust()
        with trust.hearing((str(slide.path), slide.path.name, slide.path.stem, slide.title)):
            section, tissue = read_spots(slide, self.config, self.predictor.about)
            regions = slide_regions(slide.path, self.config["regions"], slide.title)
            self._ask_training(section, trust)
            table = self._predicted(section, trust)
        if regions:
            mark_spots(table, regions)
        facts = {SLIDE: _facts(section, tissue, trust)}
        table.uns["hespotex"] = table.uns["hespotex"] | facts
        return Predicted(table, section, tissue, regions)

    def of_section(self, section: Section) -> ad.AnnData:
        """The prediction at the spots of a section that was read before."""
        trust = Trust()
        with trust.hearing((section.section_id,)):
            self._ask_training(section, trust)
            table = self._predicted(section, trust)
        table.uns["hespotex"] = table.uns["hespotex"] | {SLIDE: trust.to_dict()}
        return table

    def _ask_training(self, section: Section, trust: Trust) -> None:
        """Doubt a slide that has trained the model."""
        sections = self.predictor.ensemble.sections_seen()
        if reason := trained_on(section, sections):
            trust.doubt(section.section_id, f"{reason}, and predicts it better than others")
        elif section.section_id in sections:
            log.warning(
                "%s: a section of this name trained the model, on another image file: if it is the"
                " same tissue, it is predicted better than others",
                section.section_id,
            )

    def _predicted(self, section: Section, trust: Trust) -> ad.AnnData:
        """The slide's table: prediction, spread over the checkpoints, and what else is known of
        each spot.
        """
        predictor = self.predictor
        side = ImageSide(self.config, predictor, section)
        if self.config["check_mpp"]:
            check_by_nuclei(side.tissue, predictor.about.get("nuclear_size_um"), predictor.store)
        mean, spread = self._mean_and_spread(section, side)
        spots = self._told_of_spots(section, trust)
        seen = self._seen(section, mean)
        informed: Informed | None = None
        if self.config["measured"]:
            informed = with_measured(self.config, predictor, section, side, mean)
            mean = torch.from_numpy(informed.expression)
            spots["informed"] = informed.informed
        provenance = predictor.provenance | side.facts()
        table = slide_table(section, predictor.genes, mean.numpy(), provenance, spread, spots)
        if informed:
            _add_measured(table, informed)
        self._tell_of_genes(table)
        if seen:
            add_programmes(table, seen)
        return table[:, self.genes].copy() if len(self.genes) < table.n_vars else table

    def _mean_and_spread(
        self, section: Section, side: ImageSide
    ) -> tuple[torch.Tensor, NDArray[np.float32] | None]:
        """By the image, (n_spots, n_genes) each; the spread over the folds where they are asked
        for, else over the checkpoints, of which there may be one.
        """
        batches = side.batches(section)
        mean, spread = self.predictor.ensemble.with_spread(batches)[section.section_id]
        if self.predictor.folds:
            spread = self.predictor.folds(batches)[section.section_id]
        return mean, None if spread is None else spread.numpy()

    def _told_of_spots(self, section: Section, trust: Trust) -> dict[str, NDArray[np.float32]]:
        """The nuclei of each spot, and how strange it looks, as far as the model tells, (n_spots,)
        each.
        """
        predictor = self.predictor
        spots: dict[str, NDArray[np.float32]] = {}
        if predictor.nuclei:
            spots["nuclei"] = count_nuclei(section, predictor.nuclei, predictor.store)[:, 0]
        strange = predictor.ensemble.strangeness(
            embed_section(section, predictor.encoder, predictor.store)
        )
        if strange is not None:
            spots["strangeness"] = strange
            trust.look_at(section.section_id, strange)
        return spots

    def _tell_of_genes(self, table: ad.AnnData) -> None:
        """How the genes were picked, and what each has earned on left-out sections."""
        predictor = self.predictor
        if predictor.folds:
            table.var["fold_std_folds"] = predictor.folds.n_folds.numpy()
        table.var["panel"] = pd.Categorical([panel_rule(predictor.about["config"])] * table.n_vars)
        table.var = table.var.join(predictor.evidence)

    def _seen(self, section: Section, predicted: torch.Tensor) -> SlideProgrammes | None:
        """What the model saw, by the image alone; None where it is not asked for."""
        if not self.config["programmes"]:
            return None
        return slide_programmes(self.predictor, section, predicted.numpy())


def _add_measured(table: ad.AnnData, informed: Informed) -> None:
    """The standard error, and what was given."""
    table.layers[STANDARD_ERROR] = informed.error
    about = {"measured": as_text(informed.facts), "given": informed.facts["in_words"]}
    table.uns["hespotex"] = table.uns["hespotex"] | about


def _facts(section: Section, tissue: Tissue, trust: Trust) -> dict[str, Any]:
    """What the index of all slides, and the cohort's table, say of a slide."""
    scale = {"mpp": section.mpp, "mpp_source": section.mpp_source}
    return scale | {"tissue_mm2": tissue.area_mm2(section.mpp)} | trust.to_dict()
