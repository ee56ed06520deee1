"""Names of the files that runs leave, which folders hold runs, and which of them count."""

import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass
from math import isnan
from pathlib import Path

from hespotex.common.errors import InputError
from hespotex.common.files import read_json, visible
from hespotex.common.shapes import COUNT, check_shape

log = logging.getLogger(__name__)
METRICS = "metrics.json"
CONFIG = "config.json"
SPLIT = "split.json"
PER_GENE = "per_gene.csv"
BEST = "checkpoints/best.ckpt"
# folder of a sweep with the model on all sections, and the name of its fold strategy
FINAL = "final"
BUNDLE = "facts.json"  # marks a bundle, whose runs are copies
SEARCH = "search.json"  # marks a search, whose runs are trials: of these the best alone counts
AGAIN = "run it again with restart=true, or move it away"


def located(checkpoint: Path) -> Path:
    """Its whole path, without `..`; links stay, as a hub's cache is made of them."""
    return Path(os.path.abspath(checkpoint))  # noqa: PTH100


def home_of(checkpoint: Path) -> Path:
    """Folder of the run that a checkpoint belongs to, wherever it lies and however it was named."""
    return located(checkpoint).parent.parent


def homes(folder: Path, marker: str) -> Iterator[Path]:
    """Folders of the runs below a folder: those that hold the file `marker`.

    Bundles in it hold copies and are left out, and so are the trials of a search but the best.
    """
    bundles = {path.parent for path in visible(folder, f"**/{BUNDLE}") if _is_bundle(path.parent)}
    left_out = (bundles | _other_trials(folder)) - {folder}
    for path in visible(folder, f"**/{marker}"):
        if left_out.isdisjoint(path.parents):
            yield path.parents[marker.count("/")]


def _is_bundle(folder: Path) -> bool:
    return any((folder / name).is_dir() for name in ("folds", FINAL))


def _other_trials(folder: Path) -> set[Path]:
    """Folders of the trials of searches below a folder, less the best of each."""
    folders: set[Path] = set()
    for search in searches(folder):
        best = best_trial(search)
        folders |= set(_trial_folders(search)) - ({best.folder} if best else set())
    return folders


def searches(folder: Path) -> list[Path]:
    """Folders of searches: this one, or those below it."""
    return [path.parent for path in visible(folder, f"**/{SEARCH}")]


@dataclass(frozen=True)
class Trial:
    """One trial of a search.

    Attributes:
        folder: of its run, or of its folds' runs.
        score: of its validation sections, mean over its runs; None where it did not come to one.
        n_runs: runs that are finished.
    """

    folder: Path
    score: float | None
    n_runs: int


def trials(search: Path) -> list[Trial]:
    """The trials of a search, in their order. A trial that has fewer finished runs than others has
    no score: means of different folds do not compare.

    Raises:
        InputError: `search.json` is not as it was written.
    """
    n_trials = n_trials_of(search)
    folders = [path for path in _trial_folders(search) if int(path.name) < n_trials]
    results = [_trial(path) for path in folders]
    most = max((trial.n_runs for trial in results), default=0)
    return [t if t.n_runs == most else Trial(t.folder, None, t.n_runs) for t in results]


def n_trials_of(search: Path) -> int:
    """How many trials count, by `search.json`; those of an earlier, longer one may lie beside.

    Raises:
        InputError: it is not as it was written.
    """
    mark = read_json(search / SEARCH, AGAIN)
    check_shape(mark, {"n_trials": COUNT}, str(search / SEARCH))
    return int(mark["n_trials"])


def best_trial(search: Path) -> Trial | None:
    """The one with the highest validation score, the first of several; None where none has one."""
    scored = [trial for trial in trials(search) if trial.score is not None]
    return max(scored, key=lambda trial: trial.score or 0.0, default=None)


def _trial_folders(search: Path) -> list[Path]:
    folders = [path for path in search.iterdir() if path.is_dir() and path.name.isdigit()]
    return sorted(folders, key=lambda path: int(path.name))


def _trial(folder: Path) -> Trial:
    scores = []
    for file in visible(folder, f"**/{METRICS}"):
        try:
            metrics = read_json(file, AGAIN)
            check_shape(metrics, {"val_score": float}, str(file))
            scores.append(float(metrics["val_score"]))
        except InputError as error:
            log.warning("a trial without a score: %s", error)
    finite = [score for score in scores if not isnan(score)]
    return Trial(folder, sum(finite) / len(finite) if finite else None, len(scores))
