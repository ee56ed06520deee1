"""Numbers of the config that are out of bounds are refused, their key named."""

from typing import Any

import pytest
from conftest import CHECKOUT
from hydra import compose, initialize_config_dir

from hespotex.cli.numbers import LISTS, RULES, check_numbers
from hespotex.common.errors import InputError
from hespotex.records.build import build_sections

CONF = CHECKOUT / "conf"


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


@pytest.mark.parametrize("key", ["model.module.penalties", "encoder.patch_um"])
def test_every_number_of_a_list_is_looked_at(key: str) -> None:
    check_numbers(nested(key, [1, 2.5]))
    with pytest.raises(InputError, match=rf"^{key}: expected a positive number, found 0"):
        check_numbers(nested(key, [1, 0]))


@pytest.mark.parametrize("name", LISTS)
def test_one_number_where_several_are_chosen_from(name: str) -> None:
    check_numbers(nested(f"model.module.{name}", [1]))
    with pytest.raises(InputError, match=rf"model.module.{name}: expected a list, such as \[1\]"):
        check_numbers(nested(f"model.module.{name}", 1))


@pytest.mark.parametrize("option", sorted(path.stem for path in (CONF / "model").glob("*.yaml")))
def test_what_ships_is_within_bounds(option: str) -> None:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        check_numbers(compose("train", [f"model={option}"]))
