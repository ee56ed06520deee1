"""From config to objects: the one place that calls Hydra's instantiate. Below it there are only plain values."""

from typing import Any

import pytorch_lightning as pl
from hydra.errors import InstantiationException
from hydra.utils import instantiate

from hespotex.data.datamodule import SectionDataModule
from hespotex.errors import InputError
from hespotex.modules.base import ExpressionModule
from hespotex.modules.teacher import ExpressionAutoencoderModule

Config = dict[str, Any]
TRUSTED = ("hespotex.", "torch.optim.")  # what a checkpoint's config may name


def build(config: Any, **kwargs: Any) -> Any:
    """The object that `_target_` names, and all inside it; None stays None."""
    try:
        return None if config is None else instantiate(config, _convert_="all", **kwargs)
    except InstantiationException as error:
        raise _in_words(error) from error


def _in_words(error: InstantiationException) -> InputError:
    """The message of an object that refused its settings, without Hydra's wrapping."""
    cause: BaseException = error
    while cause.__cause__ is not None and not isinstance(cause, InputError):
        cause = cause.__cause__
    return cause if isinstance(cause, InputError) else InputError(f"the config cannot be built: {error}")


def build_list(group: Config) -> list[Any]:
    """The objects of a group of named parts; a part set to null is left out."""
    return [build(part) for part in group.values() if part is not None]


def build_datamodule(config: Config) -> SectionDataModule:
    """The sections of one fold."""
    data = config["data"]
    return SectionDataModule(
        **{name: build(data[name]) for name in ("reader", "genes", "panel", "expression", "inputs")},
        encoder=build(config["encoder"]),
        nuclei=build(config["nuclei"]["counter"]),
        fold=build(config["fold"]),
        store=build(config["store"]),
        min_counts=data["min_counts"],
        smooth_training=data["smooth_training"],
        batch_sections=data["batch_sections"],
        detect_duplicates=data["detect_duplicates"],
        select_on=config["model"]["select_on"],
        seed=config["seed"],
    )


def build_module(config: Config, sizes: dict[str, int]) -> ExpressionModule:
    """The predictor for these widths (`d_image`, `n_genes`)."""
    module: ExpressionModule = build(config["model"]["module"])(**sizes)
    return module


def build_teacher(config: Config, n_genes: int) -> ExpressionAutoencoderModule:
    """Stage 1 for this many genes."""
    module: ExpressionAutoencoderModule = build(config["model"]["teacher"]["module"])(n_genes=n_genes)
    return module


def build_trainer(config: Config, **kwargs: Any) -> pl.Trainer:
    """A Trainer as `trainer` says, with these callbacks and loggers."""
    trainer: pl.Trainer = build(config["trainer"], **kwargs)
    return trainer


def check_trusted(config: Any) -> None:
    """Refuse a config from a file that names anything but this package's classes and torch's optimisers.

    Raises:
        InputError: naming the target.
    """
    if isinstance(config, dict):
        target = config.get("_target_", TRUSTED[0])
        if not str(target).startswith(TRUSTED):
            raise InputError(f"the checkpoint wants to build {target!r}, which is not part of HESpotEx: not loaded")
        for value in config.values():
            check_trusted(value)
    elif isinstance(config, list):
        for value in config:
            check_trusted(value)
