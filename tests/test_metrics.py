"""Metrics of one section agree with scipy, gene by gene, and leave out what has no value."""

import numpy as np
import pytest
import torch
from scipy.stats import pearsonr
from torch import Tensor

from hespotex.metrics import MeanOverSections, gene_pearson, gene_rmse, section_metrics, summarise


def pair(n_spots: int = 40, n_genes: int = 6, scale: float = 1.0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    measured = torch.randn(n_spots, n_genes, generator=generator) * scale + 5 * scale
    return measured + torch.randn(n_spots, n_genes, generator=generator) * scale, measured


@pytest.mark.parametrize("n_spots", [2, 3, 40])
@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e4])
def test_gene_pearson_is_scipys(n_spots: int, scale: float) -> None:
    predicted, measured = pair(n_spots, scale=scale)
    p, m = predicted.double().numpy(), measured.double().numpy()
    expected = [pearsonr(p[:, g], m[:, g]).statistic for g in range(p.shape[1])]
    found = gene_pearson(predicted, measured)
    assert found.dtype == torch.float64
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-9, atol=1e-12)


def test_offset_and_scale_of_a_prediction_do_not_matter() -> None:
    predicted, measured = pair()
    torch.testing.assert_close(
        gene_pearson(predicted * 3 - 7, measured), gene_pearson(predicted, measured), rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize("side", [0, 1])
@pytest.mark.parametrize("value", [0.0, 0.1, 3.3333, torch.nan])
def test_constant_and_unmeasured_genes_are_nan(side: int, value: float) -> None:
    sides = pair()
    sides[side][:, 2] = value
    result = gene_pearson(*sides)
    assert result.isnan().tolist() == [False, False, True, False, False, False]


def test_one_spot_has_no_correlation() -> None:
    predicted, measured = pair(1)
    assert gene_pearson(predicted, measured).isnan().all()


def test_gene_rmse_by_hand() -> None:
    predicted, measured = torch.tensor([[1.0, 0.0], [4.0, 0.0]]), torch.tensor([[1.0, torch.nan], [1.0, torch.nan]])
    result = gene_rmse(predicted, measured)
    assert result[0].item() == pytest.approx(4.5**0.5) and result[1].isnan()


def test_section_metrics_count_the_genes_that_have_a_value() -> None:
    predicted, measured = pair()
    measured[:, 0], predicted[:, 1] = torch.nan, 2.0
    found = section_metrics(predicted, measured)
    values = [pearsonr(predicted[:, g].double(), measured[:, g].double()).statistic for g in range(2, 6)]
    assert found["n_genes_scored"] == 4
    assert found["pcc_gene"] == pytest.approx(np.mean(values))
    assert found["pcc_gene_median"] == pytest.approx(np.median(values))
    assert found["rmse"] == pytest.approx(gene_rmse(predicted, measured)[1:].mean().item())


def test_summarise_nothing() -> None:
    result = summarise(np.array([np.nan, np.nan]))
    assert np.isnan(result["mean"]) and np.isnan(result["median"]) and result["n_genes"] == 0


@pytest.mark.parametrize(
    ("values", "mean"), [([1.0, 2.0], 1.5), ([torch.nan, 2.0], 2.0), ([torch.inf, 2.0, 4.0], 3.0), ([torch.nan], torch.nan)]
)
def test_mean_over_sections_ignores_nan(values: list[float], mean: float) -> None:
    metric = MeanOverSections()
    for value in values:
        metric.update(torch.tensor(value))
    assert metric.compute().item() == pytest.approx(mean, nan_ok=True)
    metric.reset()
    metric.update(torch.tensor(7.0))
    assert metric.compute().item() == 7


def test_mean_over_sections_weighs_sections_alike_and_keeps_no_graph() -> None:
    metric = MeanOverSections()
    for n_spots in (2, 50):
        metric.update((torch.full((n_spots,), float(n_spots), requires_grad=True)).mean())
    assert metric.compute().item() == 26 and not metric.total.requires_grad
