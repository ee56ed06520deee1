"""Test sections that are measured in part: how much the measured spots add to the image, and the
image to them.

No figure of this is a prediction without measurement, and everything written says so.
"""

import logging
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from torch import Tensor

from hespotex.batches.fold import Fold
from hespotex.common.files import atomic_path
from hespotex.common.numerics.correlation import TINY
from hespotex.common.progress import progress
from hespotex.common.spreadsheet import write_csv
from hespotex.kriging import Kriging, MeasuredSpots, Prior, Settings
from hespotex.metrics.genes import gene_pearson
from hespotex.modules.base import ExpressionModule
from hespotex.records.build import Config
from hespotex.results.partial import BOTH, FILE, IMAGE, NEAREST, SPOTS, write_partial
from hespotex.training.errors import learn_prior
from hespotex.training.given import SERIAL, Given, Numbers, drawn, side
from hespotex.training.serial import carried

log = logging.getLogger(__name__)
Array = NDArray[np.float64]
Rows = list[dict[str, Any]]
FEWEST = 10  # spots to score
Z95 = 1.96


@dataclass(frozen=True)
class Section:
    """A test section as this needs it: `measured` and `predicted` by the image, (n, n_genes)."""

    section_id: str
    group: str
    pos: Array
    measured: Array
    predicted: Array
    depth: Array


@dataclass(frozen=True)
class Processes:
    """What the Gaussian processes of all sections share.

    Attributes:
        spread: of each gene over training spots, (n_genes,).
        settings: of the processes.
        prior: of the errors; None where there is no model.
    """

    spread: Array
    settings: Settings
    prior: Prior | None

    def of_genes(self, genes: NDArray[np.bool_]) -> "Processes":
        """Of some genes of the panel, (n_genes,)."""
        prior = self.prior.of_genes(np.flatnonzero(genes)) if self.prior else None
        return Processes(self.spread[genes], self.settings, prior)


def score_partial(
    config: Config,
    request: Given,
    fold: Fold,
    predictions: dict[str, Tensor],
    folder: Path,
    module: ExpressionModule | None = None,
) -> None:
    """Write `partial.csv`, a row for each section, way, share, draw and method, its table and
    curves.

    Args:
        config: resolved.
        request: which spots are given.
        fold: the measured sections.
        predictions: by the image alone, (n_spots, n_genes) of each test section.
        folder: of the run.
        module: of this fold, whose errors on training sections are the prior; None where there is
          no model.
    """
    prior = learn_prior(config, module, fold, request.settings) if module else None
    processes = Processes(fold.gene_scaling[1].double().numpy(), request.settings, prior)
    rows: Rows = []
    for section_id in progress(list(predictions), "section", "spots given and hidden"):
        rows += _rows(fold, section_id, predictions[section_id], request, processes, config["seed"])
        if SERIAL in request.ways:
            rows += _serial_rows(fold, section_id, predictions, processes)
    if not rows:
        return
    table = pd.DataFrame(rows).assign(
        model=config["model"]["name"], fold_strategy=config["fold"]["name"]
    )
    with atomic_path(folder / FILE) as partial:
        write_csv(table, partial, index=False, float_format="%.6g")
    write_partial(folder, table)


def _rows(
    fold: Fold, section_id: str, predicted: Tensor, request: Given, processes: Processes, seed: int
) -> Rows:
    """Of every draw and method."""
    genes = fold.sections[section_id].target.known
    section = _section(fold, section_id, predicted, genes)
    processes = processes.of_genes(genes)
    rows = []
    for way, share, draw in request.draws():
        rng = np.random.default_rng([seed, draw, crc32(section_id.encode())])
        places, scored = drawn(way, share, section.pos, rng, draw)
        if len(scored) < FEWEST:
            log.warning("%s: %d spots are too few to score", section_id, len(scored))
            continue
        spots = given_of(section, places)
        given = side(section.pos, scored) if way == "half" else ""
        place = {"way": way, "share": share, "draw": draw}
        rows += _of_methods(section, spots, scored, processes, place, given)
    return rows


def _serial_rows(
    fold: Fold, section_id: str, predictions: dict[str, Tensor], processes: Processes
) -> Rows:
    """Every serial section of the group in turn as the spots that are given."""
    rows = []
    for number, one in enumerate(carried(fold, section_id, predictions)):
        section = _section(fold, section_id, predictions[section_id], one.genes)
        scored = np.arange(len(section.pos))
        place = {"way": SERIAL, "share": 1.0, "draw": number}
        own = processes.of_genes(one.genes)
        rows += _of_methods(section, one.spots, scored, own, place, one.section_id)
    return rows


def _of_methods(
    section: Section,
    spots: MeasuredSpots,
    scored: Numbers,
    processes: Processes,
    place: dict[str, Any],
    given: str,
) -> Rows:
    """A row for each method.

    Args:
        section: with the genes that are scored.
        spots: that are given.
        scored: numbers of the spots that are scored.
        processes: of the same genes.
        place: way, share and number of the draw.
        given: which half of the section, or which serial section; empty for spots anywhere.
    """
    results = scores(section, spots, scored, processes.spread, processes.settings, processes.prior)
    own = {"section_id": section.section_id, "group": section.group, **place}
    own |= {"n_given": len(spots), "n_scored": len(scored), "given": given}
    return [own | {"method": name} | row for name, row in results.items()]


def _section(fold: Fold, section_id: str, predicted: Tensor, genes: NDArray[np.bool_]) -> Section:
    """A section with some of its measured genes, (n_genes,) of the panel."""
    prepared = fold.sections[section_id]
    return Section(
        section_id,
        fold.group(section_id),
        prepared.section.pos,
        prepared.target.dense().double().numpy()[:, genes],
        predicted.double().numpy()[:, genes],
        prepared.depth,
    )


def scores(
    section: Section,
    given: MeasuredSpots,
    scored: Numbers,
    spread: Array,
    settings: Settings,
    prior: Prior | None = None,
) -> dict[str, dict[str, float]]:
    """PCC, RMSE and more of each method, on the spots that are scored."""
    values, kriging, error = predicted_by(section, given, scored, spread, settings, prior)
    truth = section.measured[scored]
    rows = {name: _score(value, truth) for name, value in values.items()}
    inside = np.abs(truth - values[BOTH]) < Z95 * error
    rows[BOTH] |= {"coverage": float(inside.mean()), "n_fields": float(sum(kriging.used))}
    return rows


def predicted_by(
    section: Section,
    given: MeasuredSpots,
    scored: Numbers,
    spread: Array,
    settings: Settings,
    prior: Prior | None = None,
) -> tuple[dict[str, Array], Kriging, Array]:
    """What each method says of the spots that are scored, (n_scored, n_genes); the processes of
    both together, and their standard error.
    """
    pos = section.pos[scored]
    image = section.predicted
    mean = given.expression.mean(axis=0)
    kriging = Kriging(given, spread, settings, image, prior)
    about_mean = replace(given, predicted=np.repeat(mean[None], len(given), axis=0))
    spots = Kriging(about_mean, spread, replace(settings, cautious=False))
    together = kriging.at(pos, image[scored])
    nearest = cKDTree(given.pos).query(pos)[1]
    values = {
        IMAGE: image[scored],
        SPOTS: spots.at(pos, np.repeat(mean[None], len(pos), axis=0)).expression,
        NEAREST: given.expression[nearest],
        BOTH: together.expression,
    }
    return values, kriging, together.error


def given_of(section: Section, places: Numbers) -> MeasuredSpots:
    """Some of the section's own spots."""
    return MeasuredSpots(
        section.pos[places],
        section.measured[places],
        section.depth[places],
        section.predicted[places],
    )


def _score(predicted: Array, truth: Array) -> dict[str, float]:
    """Means over the genes that vary in the spots that are scored; a gene that is predicted
    constant there has a correlation of 0, as methods differ in how many these are.
    """
    pcc = gene_pearson(torch.from_numpy(predicted), torch.from_numpy(truth))
    varies = truth.var(axis=0) >= TINY
    return {
        "pcc": float(torch.nan_to_num(pcc)[torch.from_numpy(varies)].mean()),
        "rmse": float(np.sqrt(((predicted - truth) ** 2).mean(axis=0)).mean()),
        "n_genes": float(varies.sum()),
    }
