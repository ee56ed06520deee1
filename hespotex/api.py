"""HESpotEx from Python, a notebook for instance: the same code that the commands run."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from hespotex.cli.compose import composed
from hespotex.cli.names import check_config_names
from hespotex.common.errors import InputError
from hespotex.finalize import finalize as finalize_sweep
from hespotex.prediction.trained import TrainedModel
from hespotex.records.build import build_sections, resolved
from hespotex.records.record import RunRecord, read_record
from hespotex.results.tables.sweep import Tables
from hespotex.sections.layouts import layout_of
from hespotex.sections.section import Section
from hespotex.sections.sections import Sections
from hespotex.splits.strategies import ALL
from hespotex.summary import summarise
from hespotex.training.run import every_fold, on_this_machine, train_fold

__all__ = [
    "TrainedModel",
    "cross_validate",
    "load",
    "read",
    "read_results",
    "read_sections",
    "train",
]
Place = str | Path


def load(place: Place, **options: Any) -> TrainedModel:
    """A trained model.

    Args:
        place: folder of a sweep, a run or a bundle, or a checkpoint. Of a sweep and a bundle it is
          the model on all sections where there is one, else the mean of the folds.
        options: keys of `conf/predict.yaml`, such as `folds=True`, `weights=FILE`,
          `nuclei_folder=DIR` or `store=DIR`.

    Raises:
        InputError: no checkpoint there, or an encoder that is not here as it was in training.
    """
    cfg = composed("predict")
    cfg.checkpoint = str(place)
    if store := options.pop("store", None):
        cfg.paths.store = str(store)
    if unknown := sorted(set(options) - set(cfg)):
        raise InputError(f"load: there is no {', '.join(unknown)} in conf/predict.yaml")
    for name, value in options.items():
        cfg[name] = value
    return TrainedModel(resolved(_in_folder(cfg, Path(cfg.output))))


def read_sections(place: Place, data: str | None = None, overrides: Sequence[str] = ()) -> Sections:
    """The sections of a data set, by id, each read when it is asked for.

    Args:
        place: folder, or an h5ad file.
        data: one of `conf/data`, such as `her2st`; by default told by the files that are there.
        overrides: further words of `train.py`, such as `data.reader.mpp=0.5`.

    Raises:
        InputError: files of no known layout, or settings that do not fit.
    """
    path = Path(place).expanduser()
    arguments = [f"data={data or layout_of(path)}", *overrides]
    cfg = composed("train", arguments)
    cfg.data.reader.root = str(path)
    return build_sections(resolved(_in_folder(cfg, Path())))


def read(
    place: Place,
    section_id: str | None = None,
    data: str | None = None,
    overrides: Sequence[str] = (),
) -> Section:
    """One section: counts and positions as `section.adata`, pixel size, image.

    Args:
        place, data, overrides: see `read_sections`.
        section_id: which one, where there are several.

    Raises:
        InputError: no such section, or several and none named.
    """
    sections = read_sections(place, data, overrides)
    ids = list(sections.keys)
    if section_id is None and len(ids) > 1:
        examples = ", ".join(ids[:8])
        raise InputError(f"{place} holds {len(ids)} sections: name one, such as {examples}")
    name = ids[0] if section_id is None else section_id
    if name not in ids:
        raise InputError(f"{place}: no section {name}; there are {', '.join(ids[:20])}")
    return sections[name]


def train(overrides: Sequence[str] = ()) -> RunRecord:
    """Train and score one fold, as `python train.py OVERRIDES` does.

    Args:
        overrides: such as `["data=her2st", "model=ridge", "name=mine"]`.

    Returns:
        What the run has left in its folder: config, split, scores, checkpoint.

    Raises:
        InputError: words that `train.py` would refuse, or every fold asked for.
    """
    cfg = composed("train", overrides)
    if cfg.fold.index == ALL:
        raise InputError("train takes one fold: for every fold call cross_validate")
    place = f"fold{cfg.fold.index}_seed{cfg.seed}"
    cfg = _in_folder(cfg, Path(cfg.paths.outputs) / cfg.name / place)
    train_fold(on_this_machine(cfg))
    return read_record(Path(cfg.paths.run))


def cross_validate(overrides: Sequence[str] = (), finalize: bool = True) -> Tables:
    """Train and score every fold, one after the other, then fit the model on all sections.

    Args:
        overrides: see `train`.
        finalize: fit the model on all sections, which `load` then takes.

    Returns:
        See `read_results`; report, tables and models are in `outputs/NAME`.

    Raises:
        InputError: words that `train.py` would refuse, or folds that failed.
    """
    cfg = composed("train", [*overrides, f"fold.index={ALL}"])
    folder = Path(cfg.paths.outputs) / cfg.name
    cfg = _in_folder(cfg, folder)
    every_fold(cfg)
    summarise(folder)
    if finalize:
        finalize_sweep(folder)
    return read_results(folder)


def read_results(folder: Place) -> Tables:
    """Scores of all finished runs below a folder as tidy tables: `models`, `sections`, `genes`, and
    `scores` of each gene in each section.

    Raises:
        InputError: no folder, or no finished run in it.
    """
    return Tables.read(Path(folder).expanduser())


def _in_folder(cfg: DictConfig, folder: Path) -> DictConfig:
    """The config of a run in this folder, its names looked at."""
    check_config_names(cfg)
    cfg.paths.run = str(folder)
    return cfg
