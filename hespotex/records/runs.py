"""The finished runs below a folder: which count, which are copies or broken, and which belong
together.
"""

import logging
import os
from dataclasses import replace
from pathlib import Path

import pandas as pd

from hespotex.common.errors import InputError, full_cause
from hespotex.common.failures import Failures
from hespotex.common.files import read_json
from hespotex.common.shapes import COUNT, NUMBER_OR_NONE, Rule, check_shape, is_number
from hespotex.common.spreadsheet import unmarked
from hespotex.records.layout import AGAIN, CONFIG, METRICS, PER_GENE, homes, searches
from hespotex.records.manifest import check_files
from hespotex.records.record import RunRecord, Runs
from hespotex.records.search import describe_choice

log = logging.getLogger(__name__)
ROLES = ("model", "baseline", "control", "ceiling")  # in the order of the tables
# ends of the names of controls whose option brings an encoder, or a target, of its own
RANDOM = "_random"
RESIDUALS = "_residuals"
WORDS = ("section_id", "group")  # of a section's row; all else there is a number
NUMBERS = Rule(
    "numbers",
    lambda row: all(
        NUMBER_OR_NONE.holds(value) for name, value in row.items() if name not in WORDS
    ),
)
READ_OFF = Rule(
    "accuracy and chance by question",
    lambda answers: (
        isinstance(answers, dict)
        and all(
            isinstance(one, dict) and all(is_number(one.get(key)) for key in ("accuracy", "chance"))
            for one in answers.values()
        )
    ),
)
SIDES = {"train?": [str], "val?": [str], "test?": [str]}
METRICS_SHAPE = {
    "model": str,
    "role": Rule(f"one of {', '.join(ROLES)}", lambda value: value in ROLES),
    "data": str,
    "encoder": str,
    "fold_strategy": str,
    "seed": int,
    "split": {"index": COUNT, "n_folds": COUNT, **SIDES},
    "leaks": [str],
    "sections": [
        {
            "section_id": str,
            "group": str,
            "n_spots": COUNT,
            "n_genes": COUNT,
            "pcc_gene": NUMBER_OR_NONE,
        }
    ],
    "cost": {
        "seconds": Rule(
            "numbers by name",
            lambda value: isinstance(value, dict) and all(map(is_number, value.values())),
        )
    },
    "section_facts?": dict,
    "versions?": dict,
    "panel_fitted_on?": [str],
    "data_fingerprint?": str,
    "image_inputs?": dict,
    "read_off?": READ_OFF,
    "unit?": str,
}


def read_runs(folder: Path, failures: Failures | None = None) -> Runs:
    """`metrics.json` of every scored run below a folder; of runs that repeat one another the
    newest.

    A model on all sections (`fold=final`) has no score and is left out. Of a search the best trial
    is read, whose runs say so (`search`).
    Runs of several encoders or data sets are told apart by their model's name. A run that cannot be
    read is named in the log and left out.

    Args:
        failures: takes the runs that cannot be read.

    Raises:
        InputError: no folder, no scored run in it, or runs of an older version.
    """
    if not folder.is_dir():
        raise InputError(
            f"folder not found: {folder}; give the folder of a sweep, such as outputs/demo"
        )
    failures = failures or Failures("run")
    trials = _search_notes(folder)
    runs = []
    for home in sorted(homes(folder, METRICS), key=lambda home: (home / METRICS).stat().st_mtime):
        with failures.of(str(home)):
            runs.append(replace(read_run(home), search=trials.get(home, "")))
    _check_versions(runs)
    if not runs:
        failures.check()
        raise InputError(f"no finished run (metrics.json) below {folder}")
    scored = [run for run in runs if run.sections]
    if not scored:
        names = ", ".join(str(run.folder) for run in runs)
        raise InputError(
            f"no scored run below {folder}: {names} left no section out, so there is no score"
        )
    return newest(with_full_names(scored, folder))


def _search_notes(folder: Path) -> dict[Path, str]:
    """By folder of a run, the search below this folder that it belongs to, in words; said in the
    log.
    """
    notes: dict[Path, str] = {}
    for search in searches(folder):
        note = describe_choice(search)
        log.info("%s", note)
        notes |= dict.fromkeys(homes(search, METRICS), note)
    return notes


def _check_versions(runs: Runs) -> None:
    """Mixing old scores and new ones is a mistake that no reader of a table would notice."""
    for run in runs:
        if "role" not in run.metrics:
            raise InputError(f"{run.folder}/{METRICS}: scored by an older version; {AGAIN}")


def read_run(home: Path) -> RunRecord:
    """A scored run, of which all that the tables are made of is as it was written.

    Raises:
        InputError: it, or `per_gene.csv` of a scored run, is not as it was written, or of an older
          version.
    """
    file = home / METRICS
    check_files(home, METRICS, CONFIG)
    if (home / CONFIG).is_file():
        check_shape(read_json(home / CONFIG, AGAIN), {"model?": dict}, str(home / CONFIG))
    metrics = read_json(file, AGAIN)
    run = RunRecord(home, metrics)
    if "role" not in metrics and "model" in metrics:  # of an older version
        return run
    check_shape(metrics, METRICS_SHAPE, str(file))
    for i, row in enumerate(run.sections):
        check_shape(row, NUMBERS, f"{file}: sections[{i}]")
    if run.sections:
        read_genes(home)
    return run


def newest(runs: Runs) -> Runs:
    """Of runs of one model, fold and seed the last in the list; the others are named in the log."""
    latest: dict[tuple[str, str, str, int, int], RunRecord] = {}
    for run in runs:
        if older := latest.get(run.place):
            log.warning(
                "%s is left out: %s is newer, of the same model, fold and seed",
                older.folder,
                run.folder,
            )
        latest[run.place] = run
    return list(latest.values())


def with_full_names(runs: Runs, folder: Path) -> Runs:
    """The runs, with models named after their encoder where there are several, and after their data
    set; a control with an encoder of its own is named for it.

    Args:
        folder: below which they lie.
    """
    if len({run.encoder for run in runs if not run.model.endswith(RANDOM)}) > 1:
        runs = [replace(run, name=f"{run.model}, {run.encoder}") for run in runs]
    sets = data_sets(runs)
    if len(sets) == 1:
        return runs
    names = {
        id(run): name
        for group, name in zip(sets, _names(sets, folder), strict=True)
        for run in group
    }
    log.warning(
        "%s holds runs on several data sets, which are told apart: %s",
        folder,
        ", ".join(_names(sets, folder)),
    )
    return [replace(run, name=f"{run.model}, {names[id(run)]}") for run in runs]


def data_sets(runs: Runs) -> list[Runs]:
    """The runs by what they were given: numbers of different sets do not belong into one mean."""
    sets: list[Runs] = []
    for run in runs:
        fitting = [group for group in sets if not any(_differ(run, other) for other in group)]
        beside = [
            group for group in fitting if run.folder.parent in [one.folder.parent for one in group]
        ]
        home = next(iter([*beside, *fitting]), None)
        if home is None:
            sets.append(home := [])
        home.append(run)
    return sets


def _differ(a: RunRecord, b: RunRecord) -> bool:
    """Whether their own records say that two runs were not given the same data."""
    if a.data != b.data:
        return True
    if a.unit != b.unit and a.model.endswith(RESIDUALS) == b.model.endswith(RESIDUALS):
        return True
    if a.fold_strategy == b.fold_strategy and a.split.n_folds != b.split.n_folds:
        return True
    if a.place == b.place and a.data_fingerprint != b.data_fingerprint:
        return True
    one = a.section_facts
    other = b.section_facts
    shared = [(one[i], other[i]) for i in one.keys() & other.keys()]
    # older runs know less
    return any(x[key] != y[key] for x, y in shared for key in x.keys() & y.keys())


def _names(sets: list[Runs], folder: Path) -> list[str]:
    """The data set's name where that tells them apart, else the folder that holds the runs."""
    names = [group[0].data for group in sets]
    if len(set(names)) == len(sets):
        return names
    places = [
        Path(os.path.commonpath([run.folder.parent for run in group]))
        .relative_to(folder)
        .as_posix()
        for group in sets
    ]
    return [
        f"{place} ({i})" if places.count(place) > 1 else place for i, place in enumerate(places, 1)
    ]


def read_genes(folder: Path) -> pd.DataFrame:
    """`per_gene.csv` of a run; a gene may be called NA.

    Raises:
        InputError: it is missing, not as it was written, or no such table.
    """
    path = folder / PER_GENE
    text_columns = {"gene": str, "section_id": str}
    check_files(folder, PER_GENE)
    try:
        table = pd.read_csv(path, dtype=text_columns, keep_default_na=False, na_values=[""])
    except (OSError, ValueError) as error:  # pandas' parser errors among them
        raise InputError(f"{path}: cannot be read ({full_cause(error)}); {AGAIN}") from error
    table = table.assign(
        **{name: table[name].map(unmarked) for name in text_columns if name in table}
    )
    numbers = table[[name for name in table if name not in text_columns]]
    if not {*text_columns, "pcc"} <= set(table) or not all(
        kind.kind in "fiub" for kind in numbers.dtypes
    ):
        raise InputError(
            f"{path}: expected section_id, gene, pcc and other numbers, found {list(table)[:8]};"
            f" {AGAIN}"
        )
    return table
