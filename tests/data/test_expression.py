"""Counts to log-normalised expression, by hand."""

import numpy as np
import pytest

from hespotex.data.expression import LogNormalised
from hespotex.data.genes import GenePanel
from hespotex.data.section import Section

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
