"""Counts to log-normalised expression, by hand."""

import numpy as np
import pytest

from hespotex.data.expression import LogNormalised, LogRaw, PearsonResiduals, smooth
from hespotex.data.genes import GenePanel
from hespotex.data.section import Section
from hespotex.errors import InputError

from .builders import section

COUNTS = np.array([[1, 0, 3], [0, 0, 0], [10, 20, 70]], dtype=np.float32)


@pytest.fixture
def spots() -> Section:
    return section(COUNTS, ["AAA", "BBB", "CCC"], pos=np.zeros((3, 2)))


@pytest.mark.parametrize(
    ("library", "divisors"),
    [("all", [4.0, 1.0, 100.0]), ("panel", [3.0, 1.0, 80.0])],  # an empty spot divides by one and stays zero
)
def test_by_hand(spots: Section, library: str, divisors: list[float]) -> None:
    found = LogNormalised(1000, library)(spots, GenePanel(["CCC", "AAA"] if library == "all" else ["CCC"], []))
    columns = [2, 0] if library == "all" else [2]
    divisors = divisors if library == "all" else [3.0, 1.0, 70.0]
    expected = np.log1p(1000 * COUNTS[:, columns] / np.array(divisors)[:, None])
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_the_default_library_is_ten_thousand_over_all_genes(spots: Section) -> None:
    found = LogNormalised()(spots, GenePanel(["AAA", "BBB", "CCC"], []))
    np.testing.assert_allclose(np.expm1(found).sum(axis=1), [1e4, 0, 1e4], rtol=1e-5)


@pytest.mark.parametrize("library", ["all", "panel"])
def test_genes_not_measured_are_nan_and_zero_counts_are_not(spots: Section, library: str) -> None:
    found = LogNormalised(library=library)(spots, GenePanel(["NEW", "BBB", "AAA"], []))
    np.testing.assert_array_equal(np.isnan(found), [[True, False, False]] * 3)
    assert found[0, 1] == 0 and found[0, 2] > 0
    assert np.isnan(LogNormalised(library=library)(spots, GenePanel(["NEW", "OTHER"], []))).all()


def test_log_raw(spots: Section) -> None:
    found = LogRaw()(spots, GenePanel(["CCC", "NEW", "AAA"], []))
    np.testing.assert_allclose(found[:, [0, 2]], np.log1p(COUNTS[:, [2, 0]]), rtol=1e-6)
    assert np.isnan(found[:, 1]).all()


def test_pearson_residuals_by_hand(spots: Section) -> None:
    train = section(np.array([[1, 3, 6], [2, 2, 6]], dtype=np.float32), ["AAA", "BBB", "CCC"], "T1", np.zeros((2, 2)))
    panel, target = GenePanel(["CCC", "AAA"], []), PearsonResiduals(theta=50, clip=3)
    target.fit([train], panel)
    mu = np.array([[4.0], [0.0], [100.0]]) * [0.6, 0.15]
    with np.errstate(invalid="ignore"):
        expected = np.nan_to_num((COUNTS[:, [2, 0]] - mu) / np.sqrt(mu + mu**2 / 50))
    np.testing.assert_allclose(target(spots, panel), np.clip(expected, -3, 3), rtol=1e-6)
    assert target.fitted_on == ["T1"]
    assert target.lowest < 0


def test_residuals_are_cut_at_the_root_of_the_training_spots(spots: Section) -> None:
    target, panel = PearsonResiduals(), GenePanel(["BBB", "NEW"], [])
    target.fit([spots], GenePanel(["BBB", "AAA"], []))
    assert target.limit == pytest.approx(3**0.5)
    target.share = np.array([1e-9, 0.5])
    assert target(spots, panel)[2, 0] == pytest.approx(3**0.5)
    assert np.isnan(target(spots, panel)[:, 1]).all()


def test_depth_is_no_part_of_the_residuals() -> None:
    """Spots of one composition and many depths: all residuals are about 0."""
    counts = np.outer([10, 100, 1000], [0.5, 0.3, 0.2]).astype(np.float32)
    one, panel = section(counts, ["AAA", "BBB", "CCC"], pos=np.zeros((3, 2))), GenePanel(["AAA", "BBB"], [])
    target = PearsonResiduals()
    target.fit([one], panel)
    np.testing.assert_allclose(target(one, panel), 0, atol=1e-5)


def test_an_unknown_library_is_refused() -> None:
    with pytest.raises(InputError, match=r"data.expression.library: expected all or panel, got 'some'"):
        LogNormalised(library="some")


def test_smoothing_mixes_in_the_neighbours() -> None:
    expression = np.array([[0.0, np.nan], [4.0, np.nan], [8.0, np.nan], [9.0, np.nan]], dtype=np.float32)
    edges = np.array([[1, 2, 0], [0, 0, 1]])  # 0 has neighbours 1 and 2, 1 has 0; 2 and 3 have none
    found = smooth(expression, edges, 0.25)
    np.testing.assert_allclose(found[:, 0], [1.5, 3.0, 8.0, 9.0])
    assert np.isnan(found[:, 1]).all()
    np.testing.assert_array_equal(smooth(expression, edges, 0.0), expression)
