"""Numbers of the config that have bounds, checked before anything is read."""

from collections.abc import Mapping
from typing import Any

from hespotex.shapes import COUNT, POSITIVE, Rule, check_shape, is_number

SOME = Rule("a whole number from 1", lambda value: COUNT.holds(value) and value >= 1)
SIZE = Rule("a number from 0", lambda value: is_number(value) and value >= 0)
SHARE = Rule("a number from 0 to 1", lambda value: is_number(value) and 0 <= value <= 1)
PART = Rule("a number from 0 to below 1", lambda value: is_number(value) and 0 <= value < 1)
SEVERAL = Rule("a whole number from 2", lambda value: COUNT.holds(value) and value >= 2)
RULES = {
    "data.panel.n_top": SOME,
    "data.panel.min_cells": COUNT,
    "data.panel.min_spot_fraction": SHARE,
    "data.panel.n_neighbours": SOME,
    "data.panel.theta": POSITIVE,
    "data.min_counts": SIZE,
    "data.keep_gib": SIZE,
    "data.inputs.n_neighbours": COUNT,
    "data.batching.blocks": SOME,
    "data.batching.block_gib": SIZE,
    "data.batching.keep_gib": SIZE,
    "fold.n_folds": SEVERAL,
    "fold.validation": PART,
    "fold.seed": COUNT,
}


def check_numbers(config: Mapping[str, Any]) -> None:
    """Refuse numbers out of bounds; keys that a config lacks, or that are null, are left alone.

    Raises:
        InputError: naming the key, what it may be and what it is.
    """
    for key, rule in RULES.items():
        value = _at(config, key)
        if value is not None:
            check_shape(value, rule, key)


def _at(config: Any, key: str) -> Any:
    for part in key.split("."):
        config = config.get(part) if isinstance(config, Mapping) else None
    return config
