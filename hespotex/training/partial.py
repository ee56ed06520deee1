"""Test sections that are measured in part: how much the measured spots add to the image, and the
image to them.

No figure of this is a prediction without measurement, and everything written says so.
"""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from torch import Tensor

from hespotex.batches.cut import split
from hespotex.batches.fold import Fold
from hespotex.common.errors import InputError
from hespotex.common.files import atomic_path
from hespotex.common.numerics.correlation import TINY
from hespotex.common.progress import progress
from hespotex.common.spreadsheet import write_csv
from hespotex.kriging import Kriging, MeasuredSpots, Prior, Settings
from hespotex.metrics.genes import gene_pearson
from hespotex.modules.base import ExpressionModule
from hespotex.records.build import Config, build
from hespotex.results.partial import BOTH, FILE, IMAGE, NEAREST, SPOTS, write_partial
from hespotex.training.errors import learn_prior
from hespotex.training.serial import carried

log = logging.getLogger(__name__)
Array = NDArray[np.float64]
Numbers = NDArray[np.int64]
PATCHES = 4  # compact parts in which the measured spots lie, of `blocks`
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
class Given:
    """Which spots are given.

    Args:
        shares: of the section's spots.
        ways: of `WAYS`, or `SERIAL`: all spots of a serial section of the same group, carried over.
        repeats: draws of each.
        settings: of the processes.
    """

    shares: Sequence[float]
    ways: Sequence[str]
    repeats: int
    settings: Settings

    @classmethod
    def of(cls, config: Config) -> "Given | None":
        """What the config asks for; None where it asks for nothing.

        Raises:
            InputError: words or numbers that mean nothing.
        """
        request = config.get("partial")
        if not request:
            return None
        ways = [*WAYS, SERIAL]
        if unknown := [way for way in request["ways"] if way not in ways]:
            raise InputError(
                f"partial.ways: expected some of {', '.join(ways)}, got {', '.join(unknown)}"
            )
        if wrong := [share for share in request["shares"] if not 0 < share < 1]:
            raise InputError(f"partial.shares: expected numbers between 0 and 1, got {wrong[0]}")
        settings = build(request["kriging"])
        return cls(request["shares"], request["ways"], request["repeats"], settings)

    def draws(self) -> Iterator[tuple[str, float, int]]:
        """Way, share and number of the draw."""
        ways = [way for way in self.ways if way in WAYS]
        return product(ways, self.shares, range(self.repeats))


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
    spread = fold.gene_scaling[1].double().numpy()
    rows: list[dict[str, Any]] = []
    for section_id in progress(list(predictions), "section", "spots given and hidden"):
        section, genes = _section(fold, section_id, predictions[section_id])
        rows += _rows(section, request, spread[genes], config["seed"], _of_genes(prior, genes))
        if SERIAL in request.ways:
            rows += _serial_rows(fold, section_id, predictions, spread, request.settings, prior)
    if not rows:
        return
    table = pd.DataFrame(rows).assign(
        model=config["model"]["name"], fold_strategy=config["fold"]["name"]
    )
    with atomic_path(folder / FILE) as partial:
        write_csv(table, partial, index=False, float_format="%.6g")
    write_partial(folder, table)


def _of_genes(prior: Prior | None, genes: NDArray[np.bool_]) -> Prior | None:
    return prior.of_genes(np.flatnonzero(genes)) if prior else None


def _rows(
    section: Section, request: Given, spread: Array, seed: int, prior: Prior | None
) -> list[dict[str, Any]]:
    """Of every draw and method."""
    rows = []
    for way, share, draw in request.draws():
        rng = np.random.default_rng([seed, draw, crc32(section.section_id.encode())])
        measured, scored = drawn(way, share, section.pos, rng, draw)
        if len(scored) < FEWEST:
            log.warning("%s: %d spots are too few to score", section.section_id, len(scored))
            continue
        place: dict[str, Any] = {
            "section_id": section.section_id,
            "group": section.group,
            "way": way,
        }
        place |= {"share": share, "draw": draw, "n_given": len(measured), "n_scored": len(scored)}
        place |= {"given": side(section.pos, scored) if way == "half" else ""}
        given = given_of(section, measured)
        results = scores(section, given, scored, spread, request.settings, prior)
        rows += [place | {"method": name} | row for name, row in results.items()]
    return rows


def _serial_rows(
    fold: Fold,
    section_id: str,
    predictions: dict[str, Tensor],
    spread: Array,
    settings: Settings,
    prior: Prior | None,
) -> list[dict[str, Any]]:
    """Every serial section of the group in turn as the spots that are given."""
    rows = []
    for number, one in enumerate(carried(fold, section_id, predictions)):
        section, _ = _section(fold, section_id, predictions[section_id], one.genes)
        scored = np.arange(len(section.pos))
        place: dict[str, Any] = {"section_id": section_id, "group": section.group, "way": SERIAL}
        place |= {"share": 1.0, "draw": number, "n_given": len(one.spots), "n_scored": len(scored)}
        own = _of_genes(prior, one.genes)
        results = scores(section, one.spots, scored, spread[one.genes], settings, own)
        rows += [place | {"method": name} | row for name, row in results.items()]
    return rows


def _section(
    fold: Fold, section_id: str, predicted: Tensor, some: NDArray[np.bool_] | None = None
) -> tuple[Section, NDArray[np.bool_]]:
    """A section's measured genes, or some of them, and which of the panel they are."""
    prepared = fold.sections[section_id]
    genes = prepared.target.known if some is None else some
    measured = prepared.target.dense().double().numpy()[:, genes]
    section = Section(
        section_id,
        fold.group(section_id),
        prepared.section.pos,
        measured,
        predicted.double().numpy()[:, genes],
        prepared.depth,
    )
    return section, genes


def drawn(
    way: str, share: float, pos: Array, rng: np.random.Generator, draw: int = 0
) -> tuple[Numbers, Numbers]:
    """Numbers of the spots that are given, and of those that are scored: all others, or, of `half`,
    the other half; each half is given in every second draw.
    """
    n = len(pos)
    return WAYS[way](pos, max(1, round(share * n)), rng, draw)


def side(pos: Array, scored: Numbers) -> str:
    """Where the half lies that is given, by the other one: left, right, upper or lower."""
    away = pos.mean(axis=0) - pos[scored].mean(axis=0)
    axis = int(np.abs(away).argmax())
    return (("left", "right"), ("upper", "lower"))[axis][int(away[axis] > 0)]


def _random(pos: Array, m: int, rng: np.random.Generator, _: int) -> tuple[Numbers, Numbers]:
    order = rng.permutation(len(pos))
    return np.sort(order[:m]), np.sort(order[m:])


def _blocks(pos: Array, m: int, rng: np.random.Generator, _: int) -> tuple[Numbers, Numbers]:
    n = len(pos)
    size = max(1, round(m / PATCHES))
    patches = split(pos, np.arange(n), max(2, round(n / size)))
    order = np.concatenate([patches[i] for i in rng.permutation(len(patches))])
    return np.sort(order[:m]), np.sort(order[m:])


def _half(pos: Array, m: int, rng: np.random.Generator, draw: int) -> tuple[Numbers, Numbers]:
    halves = split(pos, np.arange(len(pos)), 2)
    given = halves[draw % 2]
    return np.sort(rng.permutation(given)[:m]), halves[1 - draw % 2]


SERIAL = "serial"
WAYS = {"random": _random, "blocks": _blocks, "half": _half}


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
