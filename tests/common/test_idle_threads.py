"""Threads without work sleep: told to the libraries before they are loaded."""

import os
import subprocess
import sys

import pytest
from conftest import CHECKOUT

NAMES = ("OMP_WAIT_POLICY", "OPENBLAS_THREAD_TIMEOUT")


def loaded(imports: str, **settings: str) -> str:
    """What OpenMP says of its settings when it is loaded, in a process of these imports."""
    environment = {name: value for name, value in os.environ.items() if name not in NAMES}
    environment |= {"OMP_DISPLAY_ENV": "true", "PYTHONPATH": str(CHECKOUT), **settings}
    done = subprocess.run(
        [sys.executable, "-c", f"import {imports}"], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stderr


@pytest.mark.parametrize(
    ("imports", "settings", "policy"),
    [
        ("hespotex, torch", {}, "PASSIVE"),
        ("hespotex.cli.entry, hespotex.modules.strict", {}, "PASSIVE"),
        ("hespotex, torch", {"OMP_WAIT_POLICY": "ACTIVE"}, "ACTIVE"),
    ],
)
def test_openmp_is_told(imports: str, settings: dict[str, str], policy: str) -> None:
    told = loaded(imports, **settings)
    if "OMP_WAIT_POLICY" not in told:
        pytest.skip("this OpenMP does not tell its settings")
    assert f"OMP_WAIT_POLICY = '{policy}'" in told


def test_neither_library_is_loaded_before() -> None:
    code = "import sys, hespotex; assert not {'numpy', 'torch'} & set(sys.modules)"
    code += "; import os; assert os.environ['OPENBLAS_THREAD_TIMEOUT'] == '4'"
    settings = {name: value for name, value in os.environ.items() if name not in NAMES}
    subprocess.run([sys.executable, "-c", code], env=settings, check=True, cwd=CHECKOUT)
