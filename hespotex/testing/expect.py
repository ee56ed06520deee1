"""One sentence for each broken promise."""

import json
from typing import Any


def expect(holds: bool, message: str) -> None:
    """Raise `AssertionError` with this message unless it holds; also where Python runs with -O."""
    if not holds:
        raise AssertionError(message)


def expect_plain(value: Any, name: str) -> None:
    """Plain values, which a store's key and a checkpoint can hold."""
    try:
        again = json.loads(json.dumps(value, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise AssertionError(f"{name}: expected plain values, found {value!r} ({error})") from error
    expect(again == value, f"{name}: expected dicts, lists and plain values, found {value!r}")
