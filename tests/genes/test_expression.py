"""Counts to log-normalised expression, by hand."""

from functools import partial

import numpy as np
import pytest
import torch
from builders import section

from hespotex.common.errors import InputError
from hespotex.genes.expression import LogNormalised, LogRaw, PearsonResiduals
from hespotex.genes.panel import GenePanel
from hespotex.sections.section import Section

COUNTS = np.array([[1, 0, 3], [0, 0, 0], [10, 20, 70]], dtype=np.float32)


@pytest.fixture
def spots() -> Section:
    return section(COUNTS, ["AAA", "BBB", "CCC"], pos=np.zeros((3, 2)))


@pytest.mark.parametrize(
    ("library", "divisors"),
    # an empty spot divides by one and stays zero
    [("all", [4.0, 1.0, 100.0]), ("panel", [3.0, 1.0, 80.0])],
)
def test_by_hand(spots: Section, library: str, divisors: list[float]) -> None:
    found = (
        LogNormalised(1000, library)(
            spots, GenePanel(["CCC", "AAA"] if library == "all" else ["CCC"], [])
        )
        .dense()
        .numpy()
    )
    columns = [2, 0] if library == "all" else [2]
    divisors = divisors if library == "all" else [3.0, 1.0, 70.0]
    expected = np.log1p(1000 * COUNTS[:, columns] / np.array(divisors)[:, None])
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_the_default_library_is_ten_thousand_over_all_genes(spots: Section) -> None:
    found = LogNormalised()(spots, GenePanel(["AAA", "BBB", "CCC"], [])).dense()
    np.testing.assert_allclose(np.expm1(found).sum(axis=1), [1e4, 0, 1e4], rtol=1e-5)


@pytest.mark.parametrize("library", ["all", "panel"])
def test_genes_not_measured_are_nan_and_zero_counts_are_not(spots: Section, library: str) -> None:
    found = (
        LogNormalised(library=library)(spots, GenePanel(["NEW", "BBB", "AAA"], [])).dense().numpy()
    )
    np.testing.assert_array_equal(np.isnan(found), [[True, False, False]] * 3)
    assert found[0, 1] == 0 and found[0, 2] > 0
    assert np.isnan(
        LogNormalised(library=library)(spots, GenePanel(["NEW", "OTHER"], [])).dense()
    ).all()


def test_log_raw(spots: Section) -> None:
    found = LogRaw()(spots, GenePanel(["CCC", "NEW", "AAA"], [])).dense().numpy()
    np.testing.assert_allclose(found[:, [0, 2]], np.log1p(COUNTS[:, [2, 0]]), rtol=1e-6)
    assert np.isnan(found[:, 1]).all()


def test_pearson_residuals_by_hand(spots: Section) -> None:
    train = section(
        np.array([[1, 3, 6], [2, 2, 6]], dtype=np.float32),
        ["AAA", "BBB", "CCC"],
        "T1",
        np.zeros((2, 2)),
    )
    panel = GenePanel(["CCC", "AAA"], [])
    target = PearsonResiduals(theta=50, clip=3)
    target.fit([train], panel)
    library = COUNTS.sum(axis=1, keepdims=True)
    mu = library * COUNTS[:, [2, 0]].sum(axis=0) / library.sum()
    with np.errstate(invalid="ignore"):
        expected = np.nan_to_num((COUNTS[:, [2, 0]] - mu) / np.sqrt(mu + mu**2 / 50))
    np.testing.assert_allclose(
        target(spots, panel).dense(), np.clip(expected, -3, 3), rtol=1e-4, atol=1e-6
    )
    assert target.fitted_on == ["T1"]
    assert target.lowest < 0


def test_residuals_are_cut_at_the_root_of_the_training_spots(spots: Section) -> None:
    target = PearsonResiduals()
    panel = GenePanel(["BBB", "NEW"], [])
    target.fit([spots], GenePanel(["BBB", "AAA"], []))
    assert target.limit == pytest.approx(3**0.5)
    target.limit = 0.5
    assert target(spots, panel).dense()[:, 0].abs().max() == 0.5
    assert np.isnan(target(spots, panel).dense()[:, 1]).all()


def test_depth_is_no_part_of_the_residuals() -> None:
    """Spots of one composition and many depths, another than in training: all residuals are about
    0.
    """
    counts = np.outer([10, 100, 1000], [0.5, 0.3, 0.2]).astype(np.float32)
    one = section(counts, ["AAA", "BBB", "CCC"], pos=np.zeros((3, 2)))
    panel = GenePanel(["AAA", "BBB"], [])
    target = PearsonResiduals()
    other = section(counts[:, ::-1].copy(), ["AAA", "BBB", "CCC"], "T1", np.zeros((3, 2)))
    target.fit([other], panel)
    np.testing.assert_allclose(target(one, panel).dense(), 0, atol=1e-5)


def test_an_unknown_library_is_refused() -> None:
    with pytest.raises(
        InputError, match=r"data.expression.library: expected all or panel, got 'some'"
    ):
        LogNormalised(library="some")


@pytest.mark.parametrize("make", [LogRaw, LogNormalised, PearsonResiduals])
def test_rows_genes_and_selections_are_parts_of_one_table(
    make: type[LogRaw] | type[PearsonResiduals],
) -> None:
    counts = np.random.default_rng(0).poisson(1.0, (30, 4)).astype(np.float32)
    one = section(counts, ["AAA", "BBB", "CCC", "DDD"], pos=np.zeros((30, 2)))
    panel = GenePanel(["DDD", "NEW", "AAA", "BBB"], [])
    expression = make()
    expression.fit([one], GenePanel(["DDD", "AAA", "BBB", "CCC"], []))
    target = expression(one, panel)
    whole = target.dense()
    spots = torch.tensor([7, 2, 29])
    assert (
        whole.dtype == torch.float32
        and whole[:, 1].isnan().all()
        and not whole[:, [0, 2, 3]].isnan().any()
    )
    same = partial(torch.testing.assert_close, rtol=0, atol=0, equal_nan=True)
    same(target[spots], whole[spots])
    same(target.genes(1, 3), whole[:, 1:3])
    same(target.select(np.array([3, 1])).dense(), whole[:, [3, 1]])
    same(target.select(np.array([3, 1]))[spots], whole[spots][:, [3, 1]])
    other = counts.copy()
    other[3, 0] += 1
    again, changed = (
        expression(section(c, list(one.adata.var_names), pos=np.zeros((30, 2))), panel)
        for c in (counts, other)
    )
    assert again.fingerprint() == target.fingerprint() != changed.fingerprint()
