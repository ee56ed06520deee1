"""Whether sections and patients are read off embeddings that have, or have not, what tells them."""

import logging

import numpy as np
import pytest
import torch
from torch import Tensor

from hespotex.embeddings import probe as module
from hespotex.embeddings.probe import drawn, probe, unless_it_fails

GROUPS = {"A1": "A", "A2": "A", "B1": "B"}


def rows(shifts: dict[str, float], n: int = 120) -> dict[str, Tensor]:
    """Noise around a mean that each section has for itself."""
    generator = torch.Generator().manual_seed(0)
    shift = torch.linspace(-1, 1, 10)
    return {
        name: torch.randn(n, 10, generator=generator) + size * shift
        for name, size in shifts.items()
    }


def test_sections_with_means_of_their_own_are_told_apart() -> None:
    answers = probe(rows({"A1": -4.0, "A2": 0.0, "B1": 4.0}), GROUPS)
    assert answers["section"]["accuracy"] > 0.7
    assert answers["section"]["chance"] == pytest.approx(1 / 3)
    assert answers["group"]["accuracy"] > 0.8
    assert answers["group"]["chance"] == 0.5


def test_sections_without_are_not() -> None:
    answers = probe(rows(dict.fromkeys(GROUPS, 0.0)), GROUPS)
    assert answers["section"]["accuracy"] < 0.45
    assert answers["group"]["accuracy"] < 0.6


def test_the_same_spots_are_drawn_again_and_not_more_than_some(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "MOST_SPOTS", 60)
    monkeypatch.setattr(module, "MOST_SECTIONS", 2)
    own = rows({"A1": 1.0, "A2": 2.0, "B1": 3.0})
    x, section = drawn(own)
    assert list(np.unique(section, return_counts=True)[1]) == [30, 30]
    assert set(section) == {"A1", "B1"}
    assert np.array_equal(x, drawn(own)[0])
    assert probe(own, GROUPS) == probe(own, GROUPS)


def test_a_question_with_one_answer_is_not_asked() -> None:
    assert set(probe(rows({"A1": 0.0, "A2": 1.0}), GROUPS)) == {"section"}
    assert probe(rows({"A1": 0.0}), GROUPS) == {}
    assert probe(rows({"A1": 0.0, "A2": 1.0}, n=4), GROUPS) == {}


def test_what_fails_is_said_and_stops_nothing(caplog: pytest.LogCaptureFixture) -> None:
    broken = rows(dict.fromkeys(GROUPS, 0.0))
    broken["A1"][0, 0] = torch.nan
    with caplog.at_level(logging.WARNING):
        assert unless_it_fails(lambda: probe(broken, GROUPS)) == {}
    assert "not read off the embeddings: ValueError" in caplog.text
