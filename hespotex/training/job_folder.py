"""Which folder of a sweep a job gets: its number, unless a run of another model is there."""

import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import yaml
from omegaconf import DictConfig, OmegaConf, open_dict

from hespotex.common.files import safe_name, visible
from hespotex.common.provenance import differing, flat, settings
from hespotex.records.layout import CONFIG, FINAL, SEARCH
from hespotex.splits.strategies import ALL
from hespotex.training.run import on_this_machine
from hespotex.training.run_folder import RunFolder

log = logging.getLogger(__name__)
INDEX = "fold.index"
# what may differ from the runs that are there, so that a run is added to them
ADDED = ("model.", INDEX, "seed")
SPLITS = "fold."
STRATEGY = "fold.name"
MODEL = "model.name"
OF_MODEL = re.compile(r"\$\{(model\.[\w.]+)\}")
OVERRIDE = re.compile(r"override /([\w/]+)")
Settings = Mapping[str, Any]


def job_folder(sweep: Path, number: str, cfg: DictConfig) -> str:
    """Folder, from the sweep's, for a job that is about to start.

    Its number; where a run that differs in model, fold or seed only is there, that of the same
    run if it was added before, else a new one with the names of these. So models are added to a
    finished sweep, for each of the strategies of folds that it has. A run that differs in more is
    refused there, as ever.

    Args:
        sweep: its folder.
        number: of the job.
        cfg: of the job, Hydra's own part included.
    """
    if (sweep / SEARCH).is_file():
        return number
    job = _settings(cfg)
    runs = list(_runs(sweep / number))
    if not runs or _same_run(job, runs):
        return number
    there = {folder.name: list(_runs(folder)) for folder in _folders(sweep)}
    for folder, own in there.items():
        if _same_run(job, own):
            return folder
    every = [run for own in there.values() for run in own]
    splits = [SPLITS] if _is_split_so(job, every) else []
    sources = _from_model(cfg)
    keys = [key for run in runs for key in _other_settings(cfg, sources, job, run)]
    if cfg.restart or not all(key.startswith((*ADDED, *splits)) for key in keys):
        return number
    name = _name(cfg, several=len({run.get(STRATEGY) for run in every}) > 1)
    log.info("%s holds another run: this one is added as %s", sweep / number, name)
    return name


def _is_split_so(job: Settings, runs: Sequence[Settings]) -> bool:
    """Whether some run of the sweep has the folds that this job has."""
    changed = ({*differing(job, run)} - {INDEX} for run in runs)
    return any(not any(key.startswith(SPLITS) for key in keys) for keys in changed)


def _name(cfg: DictConfig, several: bool) -> str:
    """Of the folder of a run that is added; with its strategy where the sweep has several."""
    strategy = f"_{cfg.fold.name}" if several else ""
    return safe_name(f"{cfg.model.name}{strategy}_fold{cfg.fold.index}_seed{cfg.seed}")


def _settings(cfg: DictConfig) -> Settings:
    """What the run's `config.json` will say, less where it is."""
    copy = deepcopy(cfg)
    with open_dict(copy):
        copy.pop("hydra", None)
        copy.paths.run = ""
    return settings(on_this_machine(copy))


def _other_settings(
    cfg: DictConfig, sources: Mapping[str, str], job: Settings, run: Settings
) -> set[str]:
    """Keys in which a job differs from a run, less what follows from their models."""
    keys = set(differing(job, run))
    for key in keys & sources.keys():
        if all(one.get(key) == one.get(sources[key]) for one in (job, run)):
            keys.remove(key)
    models = (job[MODEL], run[MODEL])
    brought = _brought_by_models(cfg, models) if models[0] != models[1] else ()
    return {key for key in keys if not key.startswith(brought)}


def _from_model(cfg: DictConfig) -> dict[str, str]:
    """Of keys elsewhere that take their value from the model's part, such as the neighbours of a
    spot: the key there.
    """
    raw = flat(OmegaConf.to_container(cfg, resolve=False))
    found = {key: OF_MODEL.fullmatch(str(value)) for key, value in raw.items()}
    return {key: match[1] for key, match in found.items() if match}


def _brought_by_models(cfg: DictConfig, models: Sequence[str]) -> tuple[str, ...]:
    """Parts of the config that files of these models choose, such as the encoder of
    `strict_random`: as beginnings of dotted keys.
    """
    if "hydra" not in cfg:
        return ()
    places = [Path(one.path) for one in cfg.hydra.runtime.config_sources if one.schema == "file"]
    groups = {group for model in models for group in _overridden(model, places)}
    return tuple(f"{group.replace('/', '.')}." for group in groups)


def _overridden(model: str, places: Sequence[Path]) -> Iterator[str]:
    """Groups that the file of a model overrides in its defaults, or one that it builds on."""
    files = [place / "model" / f"{model}.yaml" for place in places]
    for file in [path for path in files if path.is_file()][:1]:
        for entry in (yaml.safe_load(file.read_text(encoding="utf-8")) or {}).get("defaults", []):
            if isinstance(entry, str):
                yield from _overridden(entry, places)
            else:
                yield from (word[1] for key in entry if (word := OVERRIDE.match(key)))


def _folders(sweep: Path) -> list[Path]:
    """Of jobs, of this command or an earlier one."""
    return [path for path in visible(sweep, "*") if path.is_dir() and path.name != FINAL]


def _runs(folder: Path) -> Iterator[Settings]:
    """Settings of the runs of a job that have computed something: one, or one for each fold."""
    for file in [folder / CONFIG, *visible(folder, f"fold*/{CONFIG}")]:
        run = RunFolder(file.parent)
        if file.is_file() and run.holds_work():
            yield run.recorded()


def _same_run(job: Settings, runs: list[Settings]) -> bool:
    """Whether these runs are those that are wanted."""
    every = job[INDEX] == ALL
    return bool(runs) and all(
        not (set(differing(job, run)) - ({INDEX} if every else set())) for run in runs
    )
