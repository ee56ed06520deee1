"""Names of digits on the command line stay what was typed."""

import pytest

from hespotex.cli import as_typed


@pytest.mark.parametrize("word", ["name=2026_05_01", "output=1_0", "name=1e5", "name=1.10"])
def test_names_are_kept(word: str) -> None:
    key, value = word.split("=")
    assert as_typed(word) == f"{key}='{value}'"


@pytest.mark.parametrize("word", ["seed=1_000", "name=mine", "name='2026_05_01'", "name=3", "-m"])
def test_everything_else_is_left_alone(word: str) -> None:
    assert as_typed(word) == word
