"""Calibration curves against what can be computed by hand, and from stored predictions."""

from pathlib import Path

import h5py
import numpy as np
import pytest

from hespotex.results.html.calibration import MAX_SPOTS, N_BINS, calibration, curve


def test_a_perfect_prediction_lies_on_the_diagonal() -> None:
    measured = np.random.default_rng(0).gamma(2, size=(50, 30))
    predicted, found = curve(measured, measured)
    assert len(predicted) == N_BINS
    np.testing.assert_allclose(predicted, found)
    assert (np.diff(predicted) > 0).all()


def test_half_the_spread_gives_slope_two() -> None:
    measured = np.random.default_rng(0).normal(size=(200, 10))
    predicted, found = curve(measured / 2 + 3, measured)
    assert np.polyfit(predicted, found, 1) == pytest.approx([2, -6], abs=1e-9)


def test_noise_is_flat_and_few_values_give_few_bins() -> None:
    rng = np.random.default_rng(0)
    predicted, found = curve(rng.normal(size=(2000, 20)), rng.normal(size=(2000, 20)))
    assert abs(np.polyfit(predicted, found, 1)[0]) < 0.02
    assert len(curve(np.ones((2, 3)), np.ones((2, 3)))[0]) == 6


def test_stored_predictions_are_read_and_sampled(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    gene_means = np.array([0.0, 5.0, 1.0])
    truth = rng.normal(size=(2 * MAX_SPOTS + 1, 3)) + gene_means
    truth[:, 2] = np.nan  # not measured
    (tmp_path / "predictions").mkdir()
    with h5py.File(tmp_path / "predictions" / "S_predicted.h5ad", "w") as file:
        file["X"] = np.nan_to_num(truth) * 0.5
        file["layers/measured"] = truth
    found = calibration(tmp_path, "S")
    assert found is not None
    for predicted, measured in found:
        np.testing.assert_allclose(measured, 2 * predicted, atol=1e-9)
    # values hold the difference of the genes, differences do not
    assert np.ptp(found[0][1]) > 1.5 * np.ptp(found[1][1])
    assert calibration(tmp_path, "OTHER") is None
