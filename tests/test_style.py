"""Format, lint, types and the rooms' doors are tests like any other."""

import subprocess
import sys
from pathlib import Path

import pytest
from conftest import CHECKOUT

COMMANDS = {
    "format": ["ruff", "format", "--check", "."],
    "lint": ["ruff", "check", "."],
    "types": ["mypy"],
    "rooms": ["lint-imports", "--no-cache"],
}


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_style(command: list[str]) -> None:
    executable = Path(sys.executable).parent / command[0]
    done = subprocess.run(
        [executable, *command[1:]], cwd=CHECKOUT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_constraint_names_a_host() -> None:
    assert "://" not in (CHECKOUT / "constraints.txt").read_text()
