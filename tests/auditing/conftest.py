"""Fixtures of the tests of the audit."""

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hespotex.results.scores.draw_pair", lambda *_: None)


@pytest.fixture
def clean(ridge_run: Path) -> Path:
    return ridge_run
