"""A search: its trials as a table, and in words which of them is used."""

from pathlib import Path
from typing import Any

import pandas as pd

from hespotex.common.errors import InputError
from hespotex.common.files import atomic_path, visible, write_json
from hespotex.common.provenance import settings
from hespotex.common.spreadsheet import write_csv
from hespotex.records.layout import (
    CONFIG,
    SEARCH,
    Trial,
    best_trial,
    n_trials_of,
    searches,
    trials,
)
from hespotex.records.plain import read_config

TABLE = "trials.csv"
COLUMNS = ("trial", "score", "runs", "best")  # before the settings
SHOWN = 20  # settings in words


def begin_search(folder: Path, n_trials: int, restart: bool) -> None:
    """Write `search.json`, by which a folder is known as that of a search.

    Args:
        folder: of the sweep.
        n_trials: that the command asks for; of an older, longer search the others count as well.
        restart: they do not.
    """
    file = folder / SEARCH
    earlier = n_trials_of(folder) if file.is_file() and not restart else 0
    folder.mkdir(parents=True, exist_ok=True)
    write_json(file, {"n_trials": max(n_trials, earlier)})


def trial_table(search: Path) -> pd.DataFrame:
    """A row a trial: `trial`, `score` (validation, mean over its runs), `runs`, `best`, and a
    column for each setting in which trials differ.
    """
    results = trials(search)
    best = best_trial(search)
    choices = [_settings(trial) for trial in results]
    rows = [
        {
            "trial": int(trial.folder.name),
            "score": trial.score,
            "runs": trial.n_runs,
            "best": best is not None and trial.folder == best.folder,
            **{name: values.get(name) for name in _differing(choices)},
        }
        for trial, values in zip(results, choices, strict=True)
    ]
    return pd.DataFrame(rows)


def write_trials(folder: Path) -> list[str]:
    """Write `trials.csv` into each search below a folder; returns a line for each."""
    notes = []
    for search in searches(folder):
        with atomic_path(search / TABLE) as partial:
            write_csv(trial_table(search), partial, index=False, float_format="%.6g")
        notes.append(describe_choice(search))
    return notes


def describe_choice(search: Path) -> str:
    """Which trial is used, why, and what it has set."""
    table = trial_table(search)
    name = search.resolve().name
    if table.empty or not table["best"].any():
        return f"{name}: {len(table)} trials, none with a validation score"
    best = table[table["best"]].iloc[0]
    names = [str(name) for name in table][len(COLUMNS) : len(COLUMNS) + SHOWN]
    choices = ", ".join(f"{name}={best[name]}" for name in names)
    return (
        f"{name}: trial {best['trial']} of {len(table)} is used, the best by its validation score"
        f" ({best['score']:.3f}): {choices}"
    )


def _settings(trial: Trial) -> dict[str, Any]:
    """Of the trial's first run, as dotted keys; none where it has not begun."""
    configs = visible(trial.folder, f"**/{CONFIG}")
    try:
        return settings(read_config(configs[0].parent)) if configs else {}
    except InputError:
        return {}


def _differing(all_choices: list[dict[str, Any]]) -> list[str]:
    """Keys of which the trials that have begun hold several values."""
    begun = [values for values in all_choices if values]
    names = dict.fromkeys(name for values in begun for name in values)
    return [name for name in names if len({str(values.get(name)) for values in begun}) > 1]
