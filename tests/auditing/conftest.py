"""Fixtures of the tests of the audit."""

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def without_pictures(no_pictures: None) -> None:
    """No test of the audit looks at maps."""


@pytest.fixture
def clean(ridge_run: Path) -> Path:
    return ridge_run
