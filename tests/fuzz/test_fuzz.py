"""A damaged file is read or refused in words; never another exception, a crash or a hang."""

from pathlib import Path

import pytest

from .sets import DATA_SETS
from .trial import attempt, sound

TRIALS = 45  # of each data set; `python -m tests.fuzz` tries more


@pytest.mark.parametrize("name", DATA_SETS)
def test_damaged_files(tmp_path: Path, name: str) -> None:
    sound(tmp_path, [name])
    wrong = [words for seed in range(TRIALS) if (words := attempt(tmp_path, name, seed))]
    assert not wrong, "\n".join(wrong)
