"""Per-gene metrics agree with scipy and scikit-learn, gene by gene, and leave out what has no
value.
"""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis.extra.numpy import arrays
from hypothesis.strategies import sampled_from
from scipy.stats import pearsonr, rankdata, spearmanr
from sklearn.metrics import mean_absolute_error, mean_squared_error, r2_score, roc_auc_score
from torch import Tensor

from hespotex.metrics import Centred, GeneMoments, gene_pearson
from hespotex.metrics.genes import by_gene
from hespotex.metrics.genes import mean_absolute_error as absolute_error
from hespotex.metrics.ranks import rank_metrics

Score = Callable[[Tensor, Tensor], Tensor]


def moments(predicted: Tensor, measured: Tensor) -> GeneMoments:
    return GeneMoments.between(Centred.of(by_gene(predicted)), Centred.of(by_gene(measured)))


def mae(predicted: Tensor, measured: Tensor) -> Tensor:
    pair = (Centred.of(by_gene(values)) for values in (predicted, measured))
    return torch.from_numpy(absolute_error(*pair))


def rank_correlation(predicted: Tensor, measured: Tensor) -> Tensor:
    return torch.from_numpy(rank_metrics(by_gene(predicted), by_gene(measured))[0])


def auc(predicted: Tensor, measured: Tensor, lowest: float = 0.0) -> Tensor:
    return torch.from_numpy(rank_metrics(by_gene(predicted), by_gene(measured), lowest)[1])


def lin(p: np.ndarray, t: np.ndarray) -> float:
    return float(
        2 * np.cov(p, t, bias=True)[0, 1] / (p.var() + t.var() + (p.mean() - t.mean()) ** 2)
    )


ORACLES: dict[str, tuple[Score, Callable[[np.ndarray, np.ndarray], float]]] = {
    "pearson": (gene_pearson, lambda p, t: pearsonr(p, t).statistic),
    "pearson of moments": (
        lambda p, t: moments(p, t).pearson(),
        lambda p, t: pearsonr(p, t).statistic,
    ),
    "spearman": (rank_correlation, lambda p, t: spearmanr(p, t).statistic),
    "mse": (lambda p, t: moments(p, t).mse(), lambda p, t: mean_squared_error(t, p)),
    "rmse": (lambda p, t: moments(p, t).rmse(), lambda p, t: mean_squared_error(t, p) ** 0.5),
    "mae": (mae, lambda p, t: mean_absolute_error(t, p)),
    "r2": (lambda p, t: moments(p, t).r2(), lambda p, t: r2_score(t, p)),
    "ccc": (lambda p, t: moments(p, t).concordance(), lin),
    "auc": (auc, lambda p, t: roc_auc_score(t > 0, p)),
    "variance_ratio": (lambda p, t: moments(p, t).variance_ratio(), lambda p, t: p.var() / t.var()),
}
CORRELATIONS = ("pearson", "pearson of moments", "spearman")
NEED_VARIANCE = (*CORRELATIONS, "r2", "ccc", "variance_ratio")


def pair(n_spots: int = 40, n_genes: int = 6, seed: int = 1) -> tuple[Tensor, Tensor]:
    """Measured expression with many zeros and ties, and a noisy prediction of it."""
    generator = torch.Generator().manual_seed(seed)
    measured = torch.randn(n_spots, n_genes, generator=generator).clamp(min=0).mul(4).round().div(2)
    predicted = (
        (measured + torch.randn(n_spots, n_genes, generator=generator)).mul(4).round().div(4)
    )
    return predicted, measured


@pytest.mark.parametrize("name", ORACLES)
@pytest.mark.parametrize("n_spots", [12, 60])
def test_against_the_library(name: str, n_spots: int) -> None:
    score, oracle = ORACLES[name]
    predicted, measured = pair(n_spots)
    p = predicted.double().numpy()
    t = measured.double().numpy()
    found = score(predicted, measured)
    assert found.dtype == torch.float64
    np.testing.assert_allclose(
        found, [oracle(p[:, g], t[:, g]) for g in range(p.shape[1])], rtol=1e-9, atol=1e-12
    )


@pytest.mark.parametrize("name", ORACLES)
def test_a_gene_that_was_not_measured_has_no_value(name: str) -> None:
    predicted, measured = pair()
    measured[:, 2] = torch.nan
    assert ORACLES[name][0](predicted, measured).isnan().tolist() == [
        False,
        False,
        True,
        False,
        False,
        False,
    ]


@pytest.mark.parametrize("name", ORACLES)
@pytest.mark.parametrize("value", [0.0, 0.1, 3.3333])
def test_a_gene_that_is_constant_in_the_section(name: str, value: float) -> None:
    predicted, measured = pair()
    measured[:, 2] = value
    found = ORACLES[name][0](predicted, measured)
    assert found[2].isnan().item() == (name in (*NEED_VARIANCE, "auc"))
    assert found[[0, 1, 3, 4, 5]].isfinite().all()


@pytest.mark.parametrize(
    ("name", "expected"),
    [*((name, None) for name in CORRELATIONS), ("ccc", 0.0), ("variance_ratio", 0.0), ("auc", 0.5)],
)
def test_a_constant_prediction(name: str, expected: float | None) -> None:
    predicted, measured = pair()
    predicted[:, 2] = 0.7
    found = ORACLES[name][0](predicted, measured)[2]
    assert found.isnan() if expected is None else found.item() == pytest.approx(expected)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e4])
def test_offset_and_scale_of_a_prediction_do_not_matter_to_correlation(scale: float) -> None:
    predicted, measured = pair()
    for score in (gene_pearson, rank_correlation, auc):
        torch.testing.assert_close(
            score(predicted * scale - 7, measured), score(predicted, measured), rtol=1e-4, atol=1e-6
        )


def test_residuals_do_not_tell_where_counts_are() -> None:
    predicted, measured = pair()
    assert auc(predicted, measured - 1, -float("inf")).isnan().all()


def test_one_spot_has_no_correlation() -> None:
    predicted, measured = pair(1)
    for name in CORRELATIONS:
        assert ORACLES[name][0](predicted, measured).isnan().all(), name


def test_ranks_know_no_number_that_is_none() -> None:
    predicted, measured = map(by_gene, pair())
    predicted[1, 3] = np.nan
    measured[2] = np.nan
    for scores in rank_metrics(predicted, measured):
        assert np.isnan(scores).tolist() == [False, True, True] + 3 * [False]


@pytest.mark.filterwarnings("ignore")
@given(arrays(np.float32, (2, 2, 9), elements=sampled_from([-1.5, 0, 0, 0, 0.125, 2, 2.0**99])))
def test_ranks_of_anything(values: np.ndarray) -> None:
    """Ties, zeros and constants on either side, against SciPy's ranks."""
    found = rank_metrics(*values)
    for gene, (p, m) in enumerate(zip(*rankdata(values, axis=2), strict=True)):
        varies = np.ptp(p) > 0 and np.ptp(m) > 0
        expected = np.corrcoef(p, m)[0, 1] if varies else np.nan
        assert found[0][gene] == pytest.approx(expected, abs=1e-12, nan_ok=True)
        counted = values[1, gene] > 0
        pairs = [(a > b) + (a == b) / 2 for a in p[counted] for b in p[~counted]]
        area = np.mean(pairs) if pairs else np.nan
        assert found[1][gene] == pytest.approx(area, abs=1e-12, nan_ok=True)


def test_rmse_by_hand() -> None:
    predicted = torch.tensor([[1.0], [4.0]])
    measured = torch.tensor([[1.0], [1.0]])
    assert moments(predicted, measured).rmse().item() == pytest.approx(4.5**0.5)


@pytest.mark.parametrize("n_spots", [1, 511, 1025])
def test_laid_out_by_gene(n_spots: int) -> None:
    values = torch.arange(n_spots * 7.0).reshape(n_spots, 7)
    for table in (values, values[:, 2:5], values.T.contiguous().T):
        found = by_gene(table)
        assert found.flags.c_contiguous
        np.testing.assert_array_equal(found, table.numpy().T)
