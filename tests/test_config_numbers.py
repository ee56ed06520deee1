"""Numbers of the config that are out of bounds are refused, their key named."""

from typing import Any

import pytest

from hespotex.build import build_sections
from hespotex.config_numbers import RULES, check_numbers
from hespotex.errors import InputError


def nested(key: str, value: Any) -> dict[str, Any]:
    """A config of one value."""
    for part in reversed(key.split(".")):
        value = {part: value}
    return value  # type: ignore[no-any-return]


@pytest.mark.parametrize("value", [-1, -0.5, "ten", float("nan"), True])
@pytest.mark.parametrize("key", RULES)
def test_a_number_out_of_bounds_is_refused(key: str, value: Any) -> None:
    with pytest.raises(InputError, match=rf"^{key}: expected a .*, found "):
        check_numbers(nested(key, value))


@pytest.mark.parametrize("key", ["data.panel.n_top", "data.batching.blocks", "fold.n_folds"])
def test_none_of_them_is_refused(key: str) -> None:
    with pytest.raises(InputError, match=key):
        build_sections(nested(key, 0))


@pytest.mark.parametrize("key", RULES)
def test_what_is_missing_or_null_is_left_alone(key: str) -> None:
    check_numbers({})
    check_numbers(nested(key, None))
