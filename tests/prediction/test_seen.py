"""The programmes of a slide's predictions: the sweep's where they are known, else its own."""

import tracemalloc
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest

from hespotex.encoders.histology import HistologyEncoder
from hespotex.histology.names import statistic_names
from hespotex.prediction import seen as seen_module
from hespotex.prediction.predictor import Predictor
from hespotex.prediction.seen import (
    AT_ONCE,
    MOST_SPOTS,
    Predictions,
    Statistics,
    programmes_in,
    slide_programmes,
)
from hespotex.results.programmes import COLUMNS, FILE, GENES

N = 200
NAMES = [f"G{i}" for i in range(24)]


def predicted(n: int = N) -> Any:
    """Two programmes of twelve genes each, the first three times as strong."""
    scores = np.random.default_rng(0).normal(size=(n, 2))
    return np.repeat(scores * [3.0, 1.0], 12, axis=1) + 5


@pytest.fixture
def predictor(tmp_path: Path) -> Predictor:
    """As far as this asks it: an encoder without names, of a run in `tmp_path`."""
    checkpoint = tmp_path / "0" / "checkpoints" / "best.ckpt"
    return cast(
        Predictor,
        SimpleNamespace(
            genes=NAMES,
            gene_spread=np.ones(24),
            encoder=SimpleNamespace(patch_um=[150.0, 350.0]),
            store=None,
            about={"model": "ridge"},
            ensemble=SimpleNamespace(fingerprints={str(checkpoint): "1"}),
        ),
    )


@pytest.fixture
def explained(tmp_path: Path) -> Callable[[str], None]:
    """Programmes of the sweep, the weak one first."""

    def write(model: str) -> None:
        (tmp_path / FILE).parent.mkdir()
        rows = [
            {"programme": i, "share": 0.5, "pcc": 0.4, "returned": 2, "n_folds": 2, "model": model}
            for i in (1, 2)
        ]
        table = pd.DataFrame(rows).reindex(columns=list(COLUMNS)).assign(genes_up="G12 G13")
        table.to_csv(tmp_path / FILE, index=False)
        second = np.arange(24) >= 12
        genes = pd.DataFrame({"gene": NAMES, "programme": 2 - second, "share": 0.9})
        genes["seen"] = np.where(second, "many nuclei (r = 0.60), fat (r = 0.50)", "")
        genes["programme_1"] = np.where(second, -1.0, 0.0)
        genes["programme_2"] = np.where(second, 0.0, 1.0)
        genes.to_csv(tmp_path / GENES, index=False)

    return write


def test_its_own_where_nobody_asked(predictor: Predictor) -> None:
    seen = slide_programmes(predictor, cast(Any, None), predicted())
    assert "of this slide alone" in seen.explained and "no names" in seen.explained
    assert seen.titles[0].startswith("Programme 1 of this slide: 90%")
    assert set(seen.sentences[0][0].removeprefix("Genes up: ").rstrip(".").split(", ")) <= set(
        NAMES[:12]
    )
    truth = predicted()[:, 0]
    assert np.corrcoef(seen.scores[:, 0], truth)[0, 1] == pytest.approx(1, abs=1e-3)
    np.testing.assert_allclose(seen.scores.std(axis=0), 1, rtol=1e-5)
    assert seen.because["G0"] == "programme 1 (100% of its prediction)"
    assert seen.patch_um == 150.0


def test_those_of_the_sweep(predictor: Predictor, explained: Callable[[str], None]) -> None:
    before = programmes_in(predictor)
    explained("ridge")
    assert programmes_in(predictor) != before
    seen = slide_programmes(predictor, cast(Any, None), predicted())
    assert "training sections" in seen.explained and len(seen.titles) == 2
    assert seen.titles[0].startswith("Programme 1: 50% of the predictions' variance, r = 0.40")
    assert np.corrcoef(seen.scores[:, 0], -predicted()[:, 12])[0, 1] == pytest.approx(1)
    assert seen.sentences[0][-1] == "On this slide: 11% of the predictions' variance."
    assert seen.because["G13"] == (
        "many nuclei (r = 0.60), fat (r = 0.50); the low end of programme 1 (90% of its prediction)"
    )


def test_not_those_of_another_model(predictor: Predictor, explained: Callable[[str], None]) -> None:
    explained("strict")
    assert (
        "of this slide alone" in slide_programmes(predictor, cast(Any, None), predicted()).explained
    )


@pytest.mark.parametrize(
    ("values", "reason"),
    [(np.ones((N, 24)), "every gene is predicted constant"), (predicted()[:9], "9 spots, and 30")],
)
def test_none_and_why(predictor: Predictor, values: Any, reason: str) -> None:
    seen = slide_programmes(predictor, cast(Any, None), values)
    assert reason in seen.explained and seen.titles == [] and not seen.scores.size


def test_words_come_from_the_statistics(predictor: Predictor) -> None:
    """A score that is one of the statistics says so."""
    statistics = Statistics(predictor, cast(Any, None), np.arange(N))
    assert statistics.words(np.ones((5, 2))) == ["", ""]
    statistics.names = statistic_names([150.0])
    statistics.values = np.random.default_rng(1).normal(size=(N, len(statistics.names)))
    statistics.alike = np.eye(len(statistics.names))
    column = list(statistics.names["statistic"]).index("nuclei_density")
    words = statistics.words(-statistics.values[:, [column]])
    assert words == ["few nuclei (r = 1.00)"]


class TestALargeSlide:
    """Of more spots than programmes are found on."""

    strength = np.r_[np.linspace(1.2, 0.9, 12), np.linspace(1.2, 0.9, 12)]  # no two genes alike
    values = (predicted(3 * MOST_SPOTS + 7) * strength).astype(np.float32)

    def test_its_programmes_are_those_of_the_spots_looked_at(self, predictor: Predictor) -> None:
        spots = Predictions(self.values, predictor.gene_spread).spots
        assert len(spots) == len(set(spots)) == MOST_SPOTS
        part = slide_programmes(predictor, cast(Any, None), self.values[spots])
        whole = slide_programmes(predictor, cast(Any, None), self.values)
        assert (whole.titles, whole.sentences) == (part.titles, part.sentences)
        for k, gene in enumerate((0, 12)):
            r = np.corrcoef(whole.scores[spots, k], part.scores[:, k])[0, 1]
            assert r == pytest.approx(1, abs=1e-4)
            of_all = np.corrcoef(whole.scores[:, k], self.values[:, gene])[0, 1]
            assert of_all == pytest.approx(1, abs=1e-3)
        np.testing.assert_allclose(whole.scores.std(axis=0), 1, rtol=1e-5)

    @pytest.mark.parametrize("n", [AT_ONCE, AT_ONCE + 1, 3 * MOST_SPOTS + 7])
    def test_scores_and_shares_are_of_all_spots(self, predictor: Predictor, n: int) -> None:
        predictions = Predictions(self.values[:n], predictor.gene_spread * 2)
        weights = np.random.default_rng(1).normal(size=(24, 3))
        exact = self.values[:n].astype(np.float64)
        centred = (exact - exact.mean(axis=0)) / 2
        expected = centred @ weights
        np.testing.assert_allclose(predictions.scores(weights), expected, atol=1e-9)
        np.testing.assert_allclose(predictions.values @ weights, expected[predictions.spots])
        cov = centred[:, 3:9].T @ expected / n
        share = (cov**2).sum(axis=0) / centred[:, 3:9].var(axis=0).sum()
        np.testing.assert_allclose(predictions.shares(expected, range(3, 9)), share)

    def test_those_of_the_sweep(
        self, predictor: Predictor, explained: Callable[[str], None]
    ) -> None:
        explained("ridge")
        seen = slide_programmes(predictor, cast(Any, None), self.values)
        assert np.corrcoef(seen.scores[:, 0], -self.values[:, 12])[0, 1] == pytest.approx(1)
        assert seen.sentences[0][-1] == "On this slide: 10% of the predictions' variance."

    def test_words_are_of_the_same_spots(
        self, predictor: Predictor, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        names = list(statistic_names([150.0])["statistic"])
        rows = np.random.default_rng(1).normal(size=(len(self.values), len(names)))
        rows[:, names.index("nuclei_density")] = self.values[:, 0]
        monkeypatch.setattr(seen_module, "embed_section", lambda *_: rows)
        predictor.encoder = HistologyEncoder("histology", [150.0])
        seen = slide_programmes(predictor, cast(Any, None), self.values)
        assert seen.sentences[0][-1] == "High where there are: many nuclei (r = 1.00)."
        assert seen.because["G0"].startswith("many nuclei (r = 1.00); programme 1 (100%")

    def test_no_copy_of_it_is_made(self, predictor: Predictor) -> None:
        values = np.tile(self.values, (10, 1))
        tracemalloc.start()
        slide_programmes(predictor, cast(Any, None), values)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < values.nbytes
