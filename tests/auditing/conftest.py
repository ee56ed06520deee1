"""Fixtures of the tests of the audit."""

from pathlib import Path

import pytest


@pytest.fixture
def clean(ridge_run: Path) -> Path:
    return ridge_run
