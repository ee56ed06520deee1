"""One slide: from the image to all of its outputs."""

import json
import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from hespotex.build import Config
from hespotex.data.embed import count_nuclei, embed_section
from hespotex.data.readers.slide import pixel_size, read_slide
from hespotex.data.section import Section
from hespotex.data.slide_list import SlideFile
from hespotex.data.tissue import Tissue, slide_tissue
from hespotex.errors import InputError
from hespotex.informed import Informed, as_text, with_measured
from hespotex.predictor import Predictor
from hespotex.results.slide.evidence import earned_pcc
from hespotex.results.slide.gene_sets import read_gmt, score_gene_sets
from hespotex.results.slide.request import KEY, MODEL, check_model, is_current, slide_request
from hespotex.results.slide.table import STANDARD_ERROR, slide_table
from hespotex.results.slide.write import write_slide

# share of spots stranger than training's 99th percentile from which a slide is called unlike it
UNLIKE = 0.25
FEW = 20  # spots below which their own mean and spread say little
OUTPUTS = ("flat", "qupath", "viewer_mb", "spatialdata")
TOO_FEW = (
    "embeddings are standardised over the slide's own spots, so that predictions for so few are"
    " near the training mean"
)
log = logging.getLogger(__name__)


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
        self.drawn: list[str] = list(dict.fromkeys(config["map_genes"]))
        if left_out := [gene for gene in self.drawn if gene not in set(self.genes)]:
            raise InputError(
                f"map_genes: {', '.join(left_out)} would be drawn, but genes={self.genes[:5]}"
                " leaves them out"
            )
        self.sets = read_gmt(Path(config["gene_sets"])) if config["gene_sets"] else {}
        self.earned = earned_pcc([Path(path) for path in predictor.ensemble.fingerprints])

    def check(self, slides: Iterable[SlideFile]) -> None:
        """Refuse, before any work, slides of which the output holds another model's prediction."""
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
        request = slide_request(self.config, slide.path, slide.mpp)
        if not self.config["restart"] and is_current(target, request):
            log.info("%s is there already (restart=true makes it anew)", target)
            return
        section, tissue = self._read(slide)
        table = self._predicted(section)
        table.uns["hespotex"] = table.uns["hespotex"] | {KEY: json.dumps(request, sort_keys=True)}
        if self.sets:
            score_gene_sets(table, self.sets)
        write_slide(
            table,
            section,
            tissue,
            self.drawn,
            output,
            **{name: self.config[name] for name in OUTPUTS},
        )
        log.info(
            "%s: %d genes at %d spots (%.3f um/px, %s)",
            target,
            table.n_vars,
            len(table),
            section.mpp,
            section.mpp_source,
        )

    def _read(self, slide: SlideFile) -> tuple[Section, Tissue]:
        config = self.config
        about = self.predictor.about
        mpp, source = pixel_size(slide.path, config["mpp"] if slide.mpp is None else slide.mpp)
        tissue = slide_tissue(slide.path, mpp, **config["tissue"])
        section = read_slide(
            slide.path,
            mpp=mpp,
            mpp_source=source,
            tissue=tissue,
            pitch_um=config["pitch_um"] or about["pitch_um"],
            spot_diameter_um=about["spot_diameter_um"],
            positions=Path(config["positions"]) if config["positions"] else None,
            min_tissue=config["min_tissue"],
            grid=about.get("grid", "square") if config["grid"] == "auto" else config["grid"],
            check_frame=config["check_frame"],
        )
        return section, tissue

    def _predicted(self, section: Section) -> Any:
        """The slide's table: prediction, spread over the checkpoints, and what else is known of
        each spot.
        """
        own = self.predictor
        if len(section.adata) < FEW and own.inputs.standardize == "section":
            log.warning("%s: %d spots: %s", section.section_id, len(section.adata), TOO_FEW)
        graph = own.inputs.assemble(section, own.encoder, own.nuclei, own.store)
        mean, spread = own.ensemble.with_spread(own.batches(graph))[section.section_id]
        if own.folds:
            spread = own.folds(own.batches(graph))[section.section_id]
        spots: dict[str, NDArray[np.float32]] = {}
        if own.nuclei:
            spots["nuclei"] = count_nuclei(section, own.nuclei, own.store)[:, 0]
        strange = own.ensemble.strangeness(embed_section(section, own.encoder, own.store))
        if strange is not None:
            spots["strangeness"] = strange
            _warn_if_unlike(section.section_id, strange)
        informed: Informed | None = None
        if self.config["measured"]:
            informed = with_measured(self.config, own, section, graph, mean)
            mean = torch.from_numpy(informed.expression)
            spots["informed"] = informed.informed
        spreads = None if spread is None else spread.numpy()
        table = slide_table(section, own.genes, mean.numpy(), own.provenance, spreads, spots)
        if informed:
            table.layers[STANDARD_ERROR] = informed.error
            about = {"measured": as_text(informed.facts), "given": informed.facts["in_words"]}
            table.uns["hespotex"] = table.uns["hespotex"] | about
        if own.folds:
            table.var["fold_std_folds"] = own.folds.n_folds.numpy()
        table.var = table.var.join(self.earned) if len(self.earned) else table.var
        return table[:, self.genes].copy() if len(self.genes) < table.n_vars else table


def _warn_if_unlike(name: str, strange: NDArray[np.float32]) -> None:
    share = float((strange > 1).mean())
    if share > UNLIKE:
        log.warning(
            "%s: %.0f%% of the spots look unlike 99%% of the training spots (other stain, scanner,"
            " pixel size or tissue?): do not trust these predictions without a check",
            name,
            100 * share,
        )
