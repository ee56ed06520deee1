"""The model to use after a cross-validation, fitted on all sections: `python -m hespotex.finalize
SWEEP_DIR`.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from hespotex.cli import VerbParser, plain_errors

log = logging.getLogger("hespotex.finalize")
ABOUT = """Fit the model of a cross-validation once more, with its settings, on all sections and one
gene panel. The folds say how well it does; this is the model to use: predict.py takes it by
default, bundle still packs the folds. Beside it lie genes.csv, with what each gene has earned in
cross-validation, and final.json, with what it was fitted on and what the estimate does not
cover."""
EXAMPLES = {
    "outputs/mine": "into outputs/mine/final/MODEL",
    "outputs/demo --model strict": "a sweep of several models",
}
MACHINE = ("trainer", "logger", "callbacks", "store", "paths", "compile")
TAKEN = ("data", "encoder", "nuclei", "model")  # from the sweep's own settings

Config = dict[str, Any]


def finalize(
    sweep: Path,
    model: str | None = None,
    machine: Mapping[str, Any] | None = None,
    restart: bool = False,
) -> Path:
    """Fit the final model into `SWEEP/final/MODEL`, an ordinary run folder, and keep the folds'
    scores with it.

    Args:
        sweep: folder of a cross-validation.
        model: which one, where the sweep has several.
        machine: an unresolved config of `train.py`, whose trainer, loggers, store and paths are
          used; by default a fresh one, with the sweep's store.
        restart: fit again what is there.

    Returns:
        The folder.

    Raises:
        InputError: no such model, runs that differ in more than fold and seed, settings that may
          not be built.
    """
    from hespotex.checkpoint import read_checkpoint
    from hespotex.files import safe_name
    from hespotex.provenance import KEY
    from hespotex.results.final import cross_validated_genes, final_facts, write_final
    from hespotex.results.runs import BEST, FINAL
    from hespotex.run import train_fold

    chosen = choose(sweep, model)
    folder = sweep / FINAL / safe_name(chosen.name)
    settings = settings_of(chosen)
    config = _config(settings, chosen, folder, machine, restart)
    train_fold(config, leaks=leak_labels(chosen.runs))
    about = read_checkpoint(folder / BEST)[KEY]
    genes = cross_validated_genes(chosen.runs, about["genes"])
    facts = final_facts(sweep, chosen.name, chosen.runs, chosen.every_run, about)
    write_final(folder, genes, facts | {"epochs": settings["model"]["max_epochs"]})
    n_scored = int(genes["scored"].sum())
    n_sections = len(about["section_facts"])
    log.info(
        "%s: %s on all %d sections, %d genes, %d with a score",
        folder,
        chosen.name,
        n_sections,
        len(genes),
        n_scored,
    )
    for words in facts["does_not_cover"]:
        log.info("the cross-validation does not cover: %s", words)
    return folder


def leak_labels(runs: list[dict[str, Any]]) -> list[str]:
    """What the folds' scores have seen, as labels of the model that quotes them."""
    return list(dict.fromkeys(f"cross-validation: {leak}" for run in runs for leak in run["leaks"]))


@dataclass(frozen=True)
class Chosen:
    """The model of a sweep that is fitted on all sections.

    Attributes:
        name: in the sweep's tables.
        runs: its scored runs, of one fold strategy; none where no section could be left out.
        every_run: of the sweep.
        configs: of its runs, as their folders hold them, by folder.
    """

    name: str
    runs: list[dict[str, Any]]
    every_run: list[dict[str, Any]]
    configs: dict[Path, Config]


def choose(sweep: Path, model: str | None) -> Chosen:
    """The one model of a sweep, or the one that is named.

    Raises:
        InputError: none, several, or one that cannot be used.
    """
    runs = _scored(sweep)
    entries = [(run["model"], run["role"], Path(run["folder"])) for run in runs] or _unscored(sweep)
    name = _name(entries, model, sweep)
    own = _of_one_strategy([run for run in runs if run["model"] == name], sweep)
    folders = [Path(run["folder"]) for run in own] or [
        folder for other, _, folder in entries if other == name
    ]
    return Chosen(name, own, runs, {folder: _config_of(folder) for folder in folders})


def _scored(sweep: Path) -> list[dict[str, Any]]:
    """Scored runs; none where the sweep has runs that could leave nothing out."""
    from hespotex.errors import InputError
    from hespotex.failures import Failures
    from hespotex.results.runs import read_runs

    try:
        runs = read_runs(sweep, unread := Failures("run"))
    except InputError:
        if not sweep.is_dir() or not _run_folders(sweep) or _holds_scores(sweep):
            raise
        return []
    unread.check()
    return runs


def _run_folders(sweep: Path) -> list[Path]:
    """Of runs that were begun, less final models."""
    from hespotex.results.runs import FINAL

    folders = sorted(path.parent for path in sweep.rglob("config.json"))
    return [folder for folder in folders if folder.parent.name != FINAL]


def _holds_scores(sweep: Path) -> bool:
    return any((folder / "metrics.json").is_file() for folder in _run_folders(sweep))


def _unscored(sweep: Path) -> list[tuple[str, str, Path]]:
    """Name, role and folder of runs that were begun."""
    from hespotex.trusted import part

    found = [(folder, _config_of(folder)) for folder in _run_folders(sweep)]
    return [
        (str(part(config, "model.name")), str(part(config, "model.role")), folder)
        for folder, config in found
    ]


def _name(entries: list[tuple[str, str, Path]], model: str | None, sweep: Path) -> str:
    """The model that is meant: the only one of role "model", or else the only one that can be
    used.
    """
    from hespotex.errors import InputError

    roles = {name: role for name, role, _ in entries}
    usable = [name for name, role in roles.items() if role in ("model", "baseline")]
    if model is not None and model not in usable:
        what = f"is a {roles[model]}, no model to use" if model in roles else "is not there"
        raise InputError(
            f"{sweep}: {model} {what}; choose one of {', '.join(usable) or 'none'} with --model"
        )
    meant = [model] if model else [name for name in usable if roles[name] == "model"] or usable
    if len(meant) != 1:
        there = ", ".join(meant or roles)
        raise InputError(
            f"{sweep} holds {there}; choose one with python -m hespotex.finalize {sweep} --model"
            " NAME"
        )
    return meant[0]


def _of_one_strategy(runs: list[dict[str, Any]], sweep: Path) -> list[dict[str, Any]]:
    """Runs of one fold strategy by fold and seed: where there are several, of the one without
    leaks.
    """
    from hespotex.errors import InputError

    leaky = {run["fold_strategy"] for run in runs if run["leaks"]}
    there = sorted({run["fold_strategy"] for run in runs})
    meant = there if len(there) < 2 else [name for name in there if name not in leaky]
    if runs and len(meant) != 1:
        raise InputError(
            f"{sweep} holds folds of several strategies ({', '.join(there)}); give the folder of"
            " one sweep"
        )
    own = [run for run in runs if run["fold_strategy"] in meant]
    return sorted(own, key=lambda run: (run["seed"], run["split"]["index"]))


def _config_of(folder: Path) -> Config:
    """The config of a run, as plain values.

    Raises:
        InputError: there is none, or it cannot be read.
    """
    from hespotex.files import read_json
    from hespotex.results.runs import CONFIG
    from hespotex.trusted import plain

    config: Config = plain(read_json(folder / CONFIG, "the run's folder is not whole"))
    return config


def settings_of(chosen: Chosen) -> Config:
    """The settings that all runs of the model share, checked: `data`, `encoder`, `nuclei`, `model`,
    `seed`, `store`.

    Raises:
        InputError: runs that differ in these, or settings that may not be built.
    """
    from hespotex.trusted import check_groups, part

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
    from hespotex.errors import InputError
    from hespotex.provenance import flat

    a, b = (flat({name: found.get(name) for name in TAKEN}) for found in (first, config))
    if differing := [key for key in a | b if a.get(key) != b.get(key)]:
        shown = ", ".join(
            f"{key}: {a.get(key)} in {one.name}, {b.get(key)} in {other.name}"
            for key in differing[:6]
        )
        raise InputError(
            f"{one.parent} holds runs of other settings ({shown}); give the folder of one"
            " cross-validation"
        )


def _epochs(chosen: Chosen, model: Config) -> int | None:
    """Where sections chose the epoch: the median over the folds, as none is left to choose on."""
    from hespotex.checkpoint import read_checkpoint
    from hespotex.results.runs import BEST

    if not model.get("select_on") or not chosen.runs:
        return None
    epochs = [int(read_checkpoint(Path(run["folder"]) / BEST)["epoch"]) + 1 for run in chosen.runs]
    return max(1, round(median(epochs)))


def _config(
    settings: Config, chosen: Chosen, folder: Path, machine: Mapping[str, Any] | None, restart: bool
) -> Config:
    """The whole config of the final run: the sweep's settings on this machine."""
    from hydra import compose, initialize_config_dir
    from omegaconf import OmegaConf

    from hespotex.cli import config_folder
    from hespotex.run import resolved

    with initialize_config_dir(str(config_folder()), version_base="1.3"):
        config: Config = OmegaConf.to_container(compose("train", ["fold=final"]))  # type: ignore[assignment]
    if machine:
        config |= {name: machine[name] for name in MACHINE if name in machine}
    else:
        config["paths"]["store"] = config["store"]["root"] = settings["store"]
    config |= {name: settings[name] for name in (*TAKEN, "seed")}
    config["paths"]["run"] = str(folder)
    config |= {"name": f"{chosen.name}_final", "finalize": False, "restart": restart}
    return resolved(OmegaConf.create(config))


@plain_errors
def main() -> None:
    """Command line."""
    parser = VerbParser("finalize", ABOUT, EXAMPLES)
    parser.add_argument(
        "sweep",
        type=Path,
        metavar="SWEEP_DIR",
        help="folder of a cross-validation, such as outputs/mine",
    )
    parser.add_argument("--model", help="which one, where the sweep has several, such as strict")
    parser.add_argument("--restart", action="store_true", help="fit again what is there already")
    words = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    finalize(words.sweep, words.model, restart=words.restart)


if __name__ == "__main__":
    main()
