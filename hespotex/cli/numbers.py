"""Numbers of the config that have bounds, checked before anything is read."""

from collections.abc import Mapping, Sequence
from typing import Any

from omegaconf import DictConfig, ListConfig, OmegaConf

from hespotex.common.errors import InputError
from hespotex.common.shapes import COUNT, PIXEL_SIZE, POSITIVE, Rule, check_shape, is_number

SOME = Rule("a whole number from 1", lambda value: COUNT.holds(value) and value >= 1)
SIZE = Rule("a number from 0", lambda value: is_number(value) and value >= 0)
SHARE = Rule("a number from 0 to 1", lambda value: is_number(value) and 0 <= value <= 1)
PART = Rule("a number from 0 to below 1", lambda value: is_number(value) and 0 <= value < 1)
SEVERAL = Rule("a whole number from 2", lambda value: COUNT.holds(value) and value >= 2)
OPTIMIZER = {"lr": POSITIVE, "weight_decay": SIZE}
MODULE = {
    "alphas": POSITIVE,
    "correlation_weight": SIZE,
    "d_hidden": SOME,
    "d_latent": SOME,
    "dropout": PART,
    "k": SOME,
    "latent_weight": SIZE,
    "n_components": SOME,
    "n_layers": COUNT,
    "penalties": POSITIVE,
    "programmes": SOME,
    "ranks": SOME,
    "taught_shares": SHARE,
    "warmup_epochs": COUNT,
    **{f"optimizer.{name}": rule for name, rule in OPTIMIZER.items()},
}
LISTS = ("alphas", "penalties", "programmes", "ranks", "taught_shares")
FITTED = {"max_epochs": SOME, "gradient_clip": POSITIVE, "n_neighbours": SOME}
RULES = {
    "seed": COUNT,
    "data.panel.n_top": SOME,
    "data.panel.min_cells": COUNT,
    "data.panel.min_spot_fraction": SHARE,
    "data.panel.n_neighbours": SOME,
    "data.panel.theta": POSITIVE,
    "data.expression.target_sum": POSITIVE,
    "data.expression.theta": POSITIVE,
    "data.min_counts": SIZE,
    "data.n_genes_at_most": SOME,
    "data.keep_gib": SIZE,
    "data.inputs.n_neighbours": COUNT,
    "data.inputs.views": SOME,
    "data.batching.blocks": SOME,
    "data.batching.block_gib": SIZE,
    "data.batching.keep_gib": SIZE,
    "data.reader.pitch_um": POSITIVE,
    "data.reader.mpp": PIXEL_SIZE,
    "data.reader.spot_diameter_um": POSITIVE,
    "data.reader.pool": SOME,
    "encoder.patch_px": SOME,
    "encoder.patch_um": POSITIVE,
    "encoder.input_px": SOME,
    "encoder.workers": COUNT,
    "nuclei.counter.count_um": POSITIVE,
    "nuclei.counter.source.mpp": POSITIVE,
    "nuclei.counter.source.tile_px": SOME,
    "nuclei.counter.source.min_area_um2": SIZE,
    "nuclei.counter.source.workers": COUNT,
    **{f"model.{name}": rule for name, rule in FITTED.items()},
    **{f"model.module.{name}": rule for name, rule in MODULE.items()},
    **{f"model.teacher.{name}": rule for name, rule in {**FITTED, "n_components": SOME}.items()},
    **{f"model.teacher.module.{name}": rule for name, rule in MODULE.items()},
    "fold.n_folds": SEVERAL,
    "fold.validation": PART,
    "fold.seed": COUNT,
    "partial.repeats": SOME,
    "trainer.log_every_n_steps": SOME,
    "trainer.num_nodes": SOME,
    "min_tissue": SHARE,
    "pitch_um": POSITIVE,
    "mpp": PIXEL_SIZE,
    "viewer_mb": SIZE,
    "zoom_mb": SIZE,
    "tissue.um_per_px": POSITIVE,
    "tissue.min_piece_um2": SIZE,
    "tissue.max_hole_um2": SIZE,
}


def check_numbers(config: Mapping[str, Any]) -> None:
    """Refuse numbers out of bounds; keys that a config lacks, or that are null, are left alone.

    Of a list, each number is looked at.

    Raises:
        InputError: naming the key, what it may be and what it is.
    """
    for key, rule in RULES.items():
        value = _at(config, key)
        for one in value if _is_list(value) else [value]:
            if one is not None:
                check_shape(one, rule, key)
    for name in LISTS:
        value = _at(config, f"model.module.{name}")
        if value is not None and not _is_list(value):
            raise InputError(f"model.module.{name}: expected a list, such as [{value}]")


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence | ListConfig) and not isinstance(value, str)


def _at(config: Any, key: str) -> Any:
    if isinstance(config, DictConfig):
        return OmegaConf.select(config, key, throw_on_resolution_failure=False)
    for name in key.split("."):
        config = config.get(name) if isinstance(config, Mapping) else None
    return config
