"""How predicted values relate to measured ones, read from the predictions that a run has stored."""

import logging
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hespotex.common.hdf5 import open_hdf5
from hespotex.results.predictions import MEASURED, prediction_file

log = logging.getLogger(__name__)
Array = NDArray[np.float64]
Curve = tuple[Array, Array]  # of each bin: mean predicted, mean measured
N_BINS = 20
MAX_SPOTS = 3000  # of a section that are read, evenly spaced


def calibration(folder: Path, section_id: str) -> list[Curve] | None:
    """Curves of values, and of differences to each gene's mean in the section; None where no
    predictions are stored.
    """
    file = prediction_file(folder, section_id)
    if not file.is_file():
        return None
    try:
        predicted, measured = (_spots(file, name) for name in ("X", f"layers/{MEASURED}"))
    except (OSError, KeyError, ValueError) as error:
        log.warning("no calibration of %s: %s", section_id, error)
        return None
    complete = np.isfinite(measured).all(axis=0)
    predicted = predicted[:, complete]
    measured = measured[:, complete]
    return [
        curve(predicted, measured),
        curve(predicted - predicted.mean(axis=0), measured - measured.mean(axis=0)),
    ]


def _spots(file: Path, name: str) -> Array:
    """Expression (n_spots, n_genes) of some spots; `name` is the table's place in the file."""
    with open_hdf5(file) as stored:
        table = stored[name]
        return np.asarray(table[:: -(-len(table) // MAX_SPOTS)], dtype=np.float64)


def curve(predicted: Array, measured: Array) -> Curve:
    """Means in up to 20 bins of equal size by the predicted value."""
    order = np.argsort(predicted, axis=None, kind="stable")
    bins = [places for places in np.array_split(order, N_BINS) if len(places)]
    p, m = (
        np.array([values.ravel()[places].mean() for places in bins])
        for values in (predicted, measured)
    )
    return p, m
