"""From the config of a command to objects: the one place that calls Hydra's instantiate. Below it
are only plain values.

What a file names is never built here, but by `hespotex.records.trusted`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import torch
from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import InterpolationKeyError

from hespotex.batches.fold import Fold, Recipe
from hespotex.batches.prepare import label_duplicates, prepare_fold
from hespotex.cli.numbers import check_numbers
from hespotex.common.errors import InputError, chain
from hespotex.common.files import digest
from hespotex.metrics.own import Metric
from hespotex.records.moved import MOVED
from hespotex.sections.sections import Sections
from hespotex.sections.stored import SectionStore
from hespotex.splits.split import selected
from hespotex.splits.strategies import FoldStrategy

if TYPE_CHECKING:  # Lightning takes seconds, and commands that train nothing need none
    import pytorch_lightning as pl
    from pytorch_lightning.plugins.environments import SLURMEnvironment

    from hespotex.modules.base import ExpressionModule
    from hespotex.modules.teacher import ExpressionAutoencoderModule

Config = dict[str, Any]
LAST: dict[str, Sections] = {}  # one at most, by what makes it
NAMED = re.compile(r"Interpolation key '([^']+)' not found")


def resolved(cfg: DictConfig) -> Config:
    """The config of a command as plain values.

    Raises:
        MissingMandatoryValue: a value that the user must give is missing.
        InputError: a value names another key, which is not there.
    """
    try:
        config: Any = OmegaConf.to_container(cfg, resolve=True, throw_on_missing=True)
    except InterpolationKeyError as error:
        raise InputError(_unknown_key(cfg, error)) from error
    return dict(config)


def _unknown_key(cfg: DictConfig, error: InterpolationKeyError) -> str:
    """The key that a value names, and those that are beside it."""
    match = NAMED.search(str(error))
    key = match[1] if match else str(error)
    place, _, name = key.rpartition(".")
    beside = OmegaConf.select(cfg, place) if place else None
    choices = f": expected one of {', '.join(map(str, beside))}" if beside else ""
    return f"{error.full_key} names {key}, but {place or 'the config'} has no {name}{choices}"


def build(config: Any, **kwargs: Any) -> Any:
    """The object that `_target_` names, and all inside it; None stays None."""
    try:
        return None if config is None else instantiate(config, _convert_="all", **kwargs)
    except InstantiationException as error:
        raise _refusal_of(error) from error


def _refusal_of(error: InstantiationException) -> InputError:
    """The message of an object that refused its settings, without Hydra's wrapping."""
    ours = next((one for one in chain(error) if isinstance(one, InputError)), None)
    moved = [f"{old} is {new} now" for old, new in MOVED.items() if f"'{old}." in str(error)]
    notes = "".join(f" ({one})" for one in moved)
    return ours or InputError(f"the config cannot be built{notes}: {error}")


def build_list(group: Config) -> list[Any]:
    """The objects of a group of named parts; a part set to null is left out."""
    return [build(settings) for settings in group.values() if settings is not None]


def build_sections(config: Config) -> Sections:
    """The sections of the data set; numbers of the config that are out of bounds are refused.

    Those that this process built last, where all that makes them is the same: jobs of a sweep
    follow one another, and each would read the whole data set. Where the reader does not tell what
    makes them, no other job gets them.
    """
    check_numbers(config)
    data = config["data"]
    rules = build(data["genes"]), data["min_counts"], data["keep_gib"]
    sections = Sections(build(data["reader"]), *rules, SectionStore(config["store"]["root"]))
    origins = sections.origins()
    if origins is None:
        LAST.clear()
        return sections
    settings = [data["reader"], data["genes"], *rules[1:], str(config["store"]["root"])]
    key = digest([settings, origins])
    if key not in LAST:
        LAST.clear()
        LAST[key] = sections
    return LAST[key]


def build_recipe(config: Config) -> Recipe:
    """How the config turns sections into what a model is given."""
    data = config["data"]
    return Recipe(
        encoder=build(config["encoder"]),
        nuclei=build(config["nuclei"]["counter"]),
        panel=build(data["panel"]),
        expression=build(data["expression"]),
        inputs=build(data["inputs"]),
        store=build(config["store"]),
        batching=build(data["batching"]),
    )


def build_fold(config: Config, sections: Sections | None = None) -> Fold:
    """One fold of these sections, by default of the config's: embedded, fitted and ready for a
    model.
    """
    sections = sections or build_sections(config)
    recipe = build_recipe(config)
    strategy: FoldStrategy = build(config["fold"])
    split = selected(strategy.split(list(sections.keys.values())), config["model"]["select_on"])
    if config["data"]["detect_duplicates"]:
        split = label_duplicates(sections, split, strategy.allow_leak)
    return prepare_fold(sections, split, recipe)


def build_module(config: Config, sizes: dict[str, int]) -> ExpressionModule:
    """The predictor for these widths (`d_image`, `n_genes`)."""
    module: ExpressionModule = build(config["model"]["module"])(**sizes)
    return module


def build_teacher(config: Config, n_genes: int) -> ExpressionAutoencoderModule:
    """Stage 1 for this many genes."""
    module: ExpressionAutoencoderModule = build(config["model"]["teacher"]["module"])(
        n_genes=n_genes
    )
    return module


def build_trainer(config: Config, **kwargs: Any) -> pl.Trainer:
    """A Trainer as `trainer` says, with these callbacks and loggers."""
    plugins = [*kwargs.pop("plugins", []), *_cluster()]
    trainer: pl.Trainer = build(
        config["trainer"],
        **{"precision": precision(config["trainer"]), "plugins": plugins, **kwargs},
    )
    return trainer


def _cluster() -> list[SLURMEnvironment]:
    """Inside a SLURM job, SLURM without Lightning's requeueing: its handler would swallow SIGTERM
    and requeue on SIGUSR1, where `hespotex.cli.endings` and the launcher see to both.
    """
    from pytorch_lightning.plugins.environments import SLURMEnvironment, TorchElasticEnvironment

    if not SLURMEnvironment.detect() or TorchElasticEnvironment.detect():
        return []
    return [SLURMEnvironment(auto_requeue=False)]


def precision(trainer: Config) -> str:
    """What `trainer.precision` comes to on this machine: "auto" is bf16-mixed on a GPU that has it,
    else 32-true.
    """
    setting = str(trainer["precision"])
    on_gpu = trainer["accelerator"] in ("auto", "gpu", "cuda") and torch.cuda.is_available()
    return (
        ("bf16-mixed" if on_gpu and torch.cuda.is_bf16_supported() else "32-true")
        if setting == "auto"
        else setting
    )


def build_metrics(config: Config) -> dict[str, Metric]:
    """The user's own metrics, by name."""
    return {
        name: build(settings)
        for name, settings in (config.get("metrics") or {}).items()
        if settings is not None
    }
