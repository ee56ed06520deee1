"""What the model's errors look like on the sections that its runs have left out."""

import logging
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hespotex.common.errors import InputError
from hespotex.common.hdf5 import read_anndata
from hespotex.kriging import MeasuredSpots, Prior, Settings, learn
from hespotex.prediction.checkpoints import is_final
from hespotex.prediction.predictor import Predictor
from hespotex.records.layout import home_of
from hespotex.results.predictions import MEASURED
from hespotex.results.slide.table import positions
from hespotex.results.tables.final import folds_of

log = logging.getLogger(__name__)
FEWEST = 50  # spots of a section that says something


def prior_of(predictor: Predictor, genes: NDArray[np.int64], settings: Settings) -> Prior | None:
    """The prior of the sections that were left out by the runs beside the model; None, and said
    why, where their predictions are not here, as in a bundle.

    Args:
        predictor: the model.
        genes: of its genes, by their numbers.
        settings: of the processes.
    """
    names = [predictor.genes[i] for i in genes]
    sections = (spots for folder in _runs(predictor) for spots in _sections(folder, names))
    first = next(sections, None)
    if first is None:
        log.info("no predictions of left-out sections lie with the model: the errors have no prior")
        return None
    log.info("the errors' prior is of the sections that the model's runs have left out")
    return learn(chain([first], sections), predictor.gene_spread[genes], settings)


def _runs(predictor: Predictor) -> list[Path]:
    """Folders of the runs that have left sections out."""
    checkpoints = [Path(path) for path in predictor.ensemble.fingerprints]
    homes = [home_of(path) for path in checkpoints]
    if len(checkpoints) > 1 or not is_final(checkpoints[0]):
        return homes
    try:
        return folds_of(homes[0])
    except InputError:
        return []


def _sections(folder: Path, genes: list[str]) -> Iterator[MeasuredSpots]:
    """The left-out sections of a run; a gene that was not measured, or not predicted, has no error.
    Their depth is not known, so that all spots count alike.
    """
    for file in sorted((folder / "predictions").glob("*_predicted.h5ad")):
        table = read_anndata(file)
        place = {str(gene): i for i, gene in enumerate(table.var_names)}
        columns = [place.get(gene, -1) for gene in genes]
        if len(table) < FEWEST or max(columns) < 0:
            continue
        there = np.array(columns) >= 0
        image = np.where(there, np.asarray(table.X, dtype=np.float64)[:, columns], 0.0)
        measured = np.asarray(table.layers[MEASURED], dtype=np.float64)[:, columns]
        expression = np.where(there & np.isfinite(measured), measured, image)
        pos = positions(table)[["x_um", "y_um"]].to_numpy()
        yield MeasuredSpots(pos, expression, np.ones(len(table)), image)
