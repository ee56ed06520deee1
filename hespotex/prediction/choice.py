"""Which model of a sweep is meant: its runs, their settings, and its final model."""

from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from hespotex.common.errors import InputError
from hespotex.common.failures import Failures
from hespotex.common.files import safe_name
from hespotex.common.provenance import differing, flat
from hespotex.records.checkpoint import read_checkpoint
from hespotex.records.kinds import READ_ONLY
from hespotex.records.layout import BEST, CONFIG, FINAL, METRICS, homes
from hespotex.records.plain import read_config
from hespotex.records.record import Runs
from hespotex.records.runs import read_runs
from hespotex.records.trusted import check_groups, part
from hespotex.results.tables.final import FACTS

TAKEN = ("data", "encoder", "nuclei", "model")  # what the folds of one model share
CHOSEN_LATER = ("model.select_on", "model.max_epochs")  # a final model has its own
FETCHING = tuple(f"data.reader.{word}" for word in READ_ONLY)  # off where data was there already
Config = dict[str, Any]


@dataclass(frozen=True)
class Chosen:
    """The model of a sweep that is used.

    Attributes:
        name: in the sweep's tables.
        runs: its scored runs, of one fold strategy; none where no section could be left out.
        every_run: of the sweep.
        configs: of its runs, as their folders hold them, by folder.
    """

    name: str
    runs: Runs
    every_run: Runs
    configs: dict[Path, Config]


def choose(sweep: Path, model: str | None) -> Chosen:
    """The one model of a sweep, or the one that is named.

    Raises:
        InputError: none, several, or one that cannot be used.
    """
    runs = _scored(sweep)
    entries = [(run.model, run.role, run.folder) for run in runs] or _unscored(sweep)
    name = _name(entries, model, sweep)
    runs_of_model = _of_one_strategy([run for run in runs if run.model == name], sweep)
    folders = [run.folder for run in runs_of_model] or [
        folder for other, _, folder in entries if other == name
    ]
    return Chosen(name, runs_of_model, runs, {folder: _config_of(folder) for folder in folders})


def final_folder(sweep: Path, name: str) -> Path:
    """Where the model on all sections lies, or will lie.

    Args:
        sweep: folder of the cross-validation.
        name: of the model, in its tables.
    """
    return sweep / FINAL / safe_name(name)


def finished_final(sweep: Path, chosen: Chosen) -> Path | None:
    """Folder of the finished model on all sections; None where there is none.

    Raises:
        InputError: its settings are not those of the runs.
    """
    folder = final_folder(sweep, chosen.name)
    if not (folder / METRICS).is_file() or not (folder / FACTS).is_file():
        return None
    first = next(iter(chosen.configs.values()))
    if keys := differing(_settings(first), _settings(_config_of(folder))):
        raise InputError(
            f"{folder} was fitted with other settings than the runs of {sweep}"
            f" ({', '.join(keys[:6])}): python -m hespotex.finalize {sweep} --restart fits it"
            " anew"
        )
    return folder


def _settings(config: Config) -> dict[str, Any]:
    """What the folds and the model on all sections share, as dotted keys."""
    shared = flat({name: config.get(name) for name in TAKEN})
    return {key: value for key, value in shared.items() if key not in CHOSEN_LATER + FETCHING}


def _scored(sweep: Path) -> Runs:
    """Scored runs; none where the sweep has runs that could leave nothing out."""
    try:
        runs = read_runs(sweep, unread := Failures("run"))
    except InputError:
        if not sweep.is_dir() or not _run_folders(sweep) or _holds_scores(sweep):
            raise
        return []
    unread.check()  # a fold less would not be noticed
    # others are scores of external sets
    return [run for run in runs if (run.folder / CONFIG).is_file()]


def _run_folders(sweep: Path) -> list[Path]:
    """Of runs that were begun, less final models."""
    return [folder for folder in homes(sweep, CONFIG) if folder.parent.name != FINAL]


def _holds_scores(sweep: Path) -> bool:
    return any((folder / METRICS).is_file() for folder in _run_folders(sweep))


def _unscored(sweep: Path) -> list[tuple[str, str, Path]]:
    """Name, role and folder of runs that were begun."""
    configs = [(folder, _config_of(folder)) for folder in _run_folders(sweep)]
    return [
        (str(part(config, "model.name")), str(part(config, "model.role")), folder)
        for folder, config in configs
    ]


def _name(entries: list[tuple[str, str, Path]], model: str | None, sweep: Path) -> str:
    """The model that is meant: the only one of role "model", or else the only one that can be
    used.
    """
    roles = {name: role for name, role, _ in entries}
    usable = [name for name, role in roles.items() if role in ("model", "baseline")]
    if model is not None and model not in usable:
        fault = f"is a {roles[model]}, no model to use" if model in roles else "is not there"
        raise InputError(
            f"{sweep}: {model} {fault}; choose one of {', '.join(usable) or 'none'} with --model"
        )
    meant = [model] if model else [name for name in usable if roles[name] == "model"] or usable
    if len(meant) != 1:
        names = ", ".join(meant or roles)
        raise InputError(f"{sweep} holds {names}; choose one with --model NAME")
    return meant[0]


def _of_one_strategy(runs: Runs, sweep: Path) -> Runs:
    """Runs of one fold strategy by fold and seed: where there are several, of the one without
    leaks.
    """
    leaky = {run.fold_strategy for run in runs if run.leaks}
    strategies = sorted({run.fold_strategy for run in runs})
    meant = (
        strategies if len(strategies) < 2 else [name for name in strategies if name not in leaky]
    )
    if runs and len(meant) != 1:
        raise InputError(
            f"{sweep} holds folds of several strategies ({', '.join(strategies)}); give the"
            " folder of one sweep"
        )
    selection = [run for run in runs if run.fold_strategy in meant]
    return sorted(selection, key=lambda run: (run.seed, run.fold))


def _config_of(folder: Path) -> Config:
    return read_config(folder, "the run's folder is not whole")


def settings_of(chosen: Chosen) -> Config:
    """The settings that all runs of the model share, checked: `data`, `encoder`, `nuclei`, `model`,
    `seed`, `store`.

    Raises:
        InputError: runs that differ in these, or settings that may not be built.
    """
    first_folder, first = next(iter(chosen.configs.items()))
    for folder, config in chosen.configs.items():
        check_groups({name: part(config, name) for name in TAKEN}, str(folder))
        _check_alike(first_folder, first, folder, config)
    settings = {name: part(first, name) for name in TAKEN}
    epochs = _epochs(chosen, settings["model"])
    settings["model"] |= {"select_on": None} | ({"max_epochs": epochs} if epochs else {})
    return settings | {"seed": part(first, "seed"), "store": part(first, "store.root")}


def _check_alike(one: Path, first: Config, other: Path, config: Config) -> None:
    """Refuse runs that were not folds of one model."""
    a, b = (flat({name: settings.get(name) for name in TAKEN}) for settings in (first, config))
    if keys := differing(a, b):
        changes = ", ".join(
            f"{key}: {a.get(key)} in {one.name}, {b.get(key)} in {other.name}" for key in keys[:6]
        )
        raise InputError(
            f"{one.parent} holds runs of other settings ({changes}); give the folder of one"
            " cross-validation"
        )


def _epochs(chosen: Chosen, model: Config) -> int | None:
    """Where sections chose the epoch: the median over the folds, as none is left to choose on."""
    if not model.get("select_on") or not chosen.runs:
        return None
    epochs = [int(read_checkpoint(run.folder / BEST)["epoch"]) + 1 for run in chosen.runs]
    return max(1, round(median(epochs)))
