"""What a file brought, as plain values; nothing is built of it here."""

from collections import deque
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any

import numpy as np
from omegaconf import DictConfig, ListConfig, OmegaConf

from hespotex.common.errors import InputError
from hespotex.common.files import read_json
from hespotex.records.layout import CONFIG
from hespotex.records.moved import current

TARGET = "_target_"
DEEPEST = 30  # containers inside each other; a list may hold itself
MOST = 100_000  # values; a few shared lists can stand for billions


def read_config(folder: Path, way_out: str = "") -> dict[str, Any]:
    """The config of a run, with the classes as they are called today.

    Args:
        folder: of the run.
        way_out: what to do where it cannot be read.

    Raises:
        InputError: there is none, or it cannot be read.
    """
    config: dict[str, Any] = plain(read_json(folder / CONFIG, way_out))
    return config


def plain(value: Any) -> Any:
    """Dicts, lists and plain values only: whatever container a file brought becomes one of these.

    Raises:
        InputError: something else is in it, or it has no end.
    """
    return _Plain()(value, 0)


class _Plain:
    """Converts one config, and counts what it has seen."""

    def __init__(self) -> None:
        self.seen = 0

    def __call__(self, value: Any, depth: int) -> Any:
        self.seen += 1
        if depth > DEEPEST or self.seen > MOST:
            raise InputError("the file's config is deeper or larger than any of ours: not loaded")
        if isinstance(value, DictConfig | ListConfig):
            value = OmegaConf.to_container(value, resolve=False)
        if isinstance(value, Mapping):
            content = {_scalar(name): self(child, depth + 1) for name, child in value.items()}
            return _renamed(content)
        if isinstance(value, list | tuple | deque | AbstractSet):
            return [self(child, depth + 1) for child in value]
        return _scalar(value)


def _renamed(content: dict[str, Any]) -> dict[str, Any]:
    """Classes as they are called today."""
    target = content.get(TARGET)
    return content | {TARGET: current(target)} if isinstance(target, str) else content


def _scalar(value: Any) -> Any:
    """A plain value of Python's own types; subclasses become what they stand for."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, np.generic):
        value = value.item()
    for kind in (str, int, float):
        if isinstance(value, kind):
            return kind(value)
    raise InputError(
        f"the file's config holds a {type(value).__name__}, no plain value: not loaded"
    )
