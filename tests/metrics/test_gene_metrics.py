"""Per-gene metrics agree with scipy and scikit-learn, gene by gene, and leave out what has no
value.
"""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy.stats import pearsonr, rankdata, spearmanr
from sklearn.metrics import mean_absolute_error, mean_squared_error, r2_score, roc_auc_score
from torch import Tensor

from hespotex.metrics import genes as m

Score = Callable[[Tensor, Tensor], Tensor]


def spearman(predicted: Tensor, measured: Tensor) -> Tensor:
    return m.gene_spearman(m.average_ranks(predicted), measured)


def auc(predicted: Tensor, measured: Tensor) -> Tensor:
    return m.gene_auc(m.average_ranks(predicted), measured)


def lin(p: np.ndarray, t: np.ndarray) -> float:
    return float(
        2 * np.cov(p, t, bias=True)[0, 1] / (p.var() + t.var() + (p.mean() - t.mean()) ** 2)
    )


ORACLES: dict[str, tuple[Score, Callable[[np.ndarray, np.ndarray], float]]] = {
    "pearson": (m.gene_pearson, lambda p, t: pearsonr(p, t).statistic),
    "spearman": (spearman, lambda p, t: spearmanr(p, t).statistic),
    "mse": (m.gene_mse, lambda p, t: mean_squared_error(t, p)),
    "rmse": (m.gene_rmse, lambda p, t: mean_squared_error(t, p) ** 0.5),
    "mae": (m.gene_mae, lambda p, t: mean_absolute_error(t, p)),
    "r2": (m.gene_r2, lambda p, t: r2_score(t, p)),
    "ccc": (m.gene_ccc, lin),
    "auc": (auc, lambda p, t: roc_auc_score(t > 0, p)),
    "variance_ratio": (m.gene_variance_ratio, lambda p, t: p.var() / t.var()),
}
CORRELATIONS = ("pearson", "spearman")
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
    for score in (m.gene_pearson, spearman, auc):
        torch.testing.assert_close(
            score(predicted * scale - 7, measured), score(predicted, measured), rtol=1e-4, atol=1e-6
        )


def test_residuals_do_not_tell_where_counts_are() -> None:
    predicted, measured = pair()
    assert m.gene_auc(m.average_ranks(predicted), measured - 1, -float("inf")).isnan().all()


def test_one_spot_has_no_correlation() -> None:
    predicted, measured = pair(1)
    assert (
        m.gene_pearson(predicted, measured).isnan().all()
        and spearman(predicted, measured).isnan().all()
    )


def test_ranks() -> None:
    predicted, _ = pair()
    np.testing.assert_array_equal(m.average_ranks(predicted), rankdata(predicted.numpy(), axis=0))
    predicted[3, 1] = torch.nan
    assert m.average_ranks(predicted).isnan().all(0).tolist() == [
        False,
        True,
        False,
        False,
        False,
        False,
    ]


def test_rmse_by_hand() -> None:
    predicted = torch.tensor([[1.0], [4.0]])
    measured = torch.tensor([[1.0], [1.0]])
    assert m.gene_rmse(predicted, measured).item() == pytest.approx(4.5**0.5)
