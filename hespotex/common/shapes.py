"""Whether a value that comes from a file has the parts and the types that the code will use."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hespotex.common.errors import InputError

# a type, a Rule, [Shape] for a list of these, or {key: Shape}; a key that ends in "?" may be
# missing
Shape = Any
WORDS = {
    str: "text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    dict: "a mapping",
    list: "a list",
}


@dataclass(frozen=True)
class Rule:
    """What a value must be, in words and as a test."""

    words: str
    holds: Callable[[Any], bool]


def is_number(value: Any) -> bool:
    """Whole or not, NaN too; true and false are none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


POSITIVE = Rule(
    "a positive number", lambda value: is_number(value) and math.isfinite(value) and value > 0
)
UM_PER_PX = (0.05, 10.0)  # outside it a pixel size is none: that of 72 dpi is 352
PIXEL_SIZE = Rule(
    f"a number of um per px, from {UM_PER_PX[0]:g} to {UM_PER_PX[1]:g}",
    lambda value: is_number(value) and UM_PER_PX[0] <= value <= UM_PER_PX[1],
)
COUNT = Rule("a whole number from 0", lambda value: _has_type(value, int) and value >= 0)
NUMBER_OR_NONE = Rule("a number or null", lambda value: value is None or is_number(value))


def check_shape(value: Any, shape: Shape, where: str) -> None:
    """Refuse a value of another shape.

    Args:
        where: the file, and inside it the key; for the message.

    Raises:
        InputError: naming the first part that is missing or of another type.
    """
    if isinstance(shape, Mapping):
        _check_mapping(value, shape, where)
    elif isinstance(shape, Sequence):
        if not _has_type(value, list):
            raise _refusal(where, WORDS[list], value)
        for i, entry in enumerate(value):
            check_shape(entry, shape[0], f"{where}[{i}]")
    elif isinstance(shape, Rule):
        if not shape.holds(value):
            raise _refusal(where, shape.words, value)
    elif not _has_type(value, shape):
        raise _refusal(where, WORDS[shape], value)


def _check_mapping(value: Any, shape: Mapping[str, Shape], where: str) -> None:
    if not isinstance(value, dict):
        raise _refusal(where, WORDS[dict], value)
    for key, entry_shape in shape.items():
        name = key.removesuffix("?")
        if name in value:
            check_shape(
                value[name],
                entry_shape,
                f"{where}: {name}" if ": " not in where else f"{where}.{name}",
            )
        elif name == key:
            raise InputError(f"{where}: lacks {name}")


def _has_type(value: Any, kind: type) -> bool:
    if kind is float:
        return is_number(value)
    return isinstance(value, kind) and not (kind is int and isinstance(value, bool))


def _refusal(where: str, expected: str, value: Any) -> InputError:
    text = repr(value)
    return InputError(
        f"{where}: expected {expected}, found {text[:60]}{'...' if len(text) > 60 else ''}"
    )
