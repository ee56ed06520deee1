"""A few of the kills of `python -m tests.kills`, which takes all verbs, by night."""

from pathlib import Path

import pytest

from .commands import commands
from .killing import Command, differences


@pytest.mark.parametrize("point", [0.0, 0.4, 0.8, 0.99])
def test_the_same_command_ends_in_the_same_bytes(
    small_demo: Path, tmp_path: Path, point: float
) -> None:
    import hespotex.training.fill  # noqa: F401, here and not in each child

    work = tmp_path / "work"
    empty = tmp_path / "empty"
    empty.mkdir()
    command = commands(small_demo, work, work)["embed"]
    assert list(differences(command, empty, work, [point])) == []


APPENDS = """
import sys
from pathlib import Path

def main():
    for word in sys.argv[2:]:
        with Path(sys.argv[1]).open("a") as file:
            file.write(word)
"""


def test_a_difference_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a command that does not know what it has done before."""
    (tmp_path / "appending.py").write_text(APPENDS)
    monkeypatch.syspath_prepend(tmp_path)
    work = tmp_path / "work"
    empty = tmp_path / "empty"
    empty.mkdir()
    command = Command("appending", [str(work / "log.txt"), "a", "b", "c"])
    assert list(differences(command, empty, work, [0.0])) == []
    assert list(differences(command, empty, work, [0.7])) == ["killed at event 3 of 3: log.txt"]
