"""Fast scores of genes against plain, slow ones, whatever the blocks and threads."""

import numpy as np
import pytest
import torch
from scipy.stats import pearsonr, rankdata, spearmanr
from sklearn.metrics import mean_absolute_error, mean_squared_error, r2_score, roc_auc_score
from test_section_metrics import Dense
from torch import Tensor

from hespotex.data.graph import knn_edges
from hespotex.metrics import Layout, Raster, gene_metrics
from hespotex.metrics import section as section_module
from hespotex.metrics.genes import average_ranks, gene_ccc, gene_variance_ratio

SIDE = 12
GENES = 11
CONSTANT = 3
MISSING = 5


def tables() -> tuple[Tensor, Tensor]:
    rng = np.random.default_rng(0)
    measured = np.log1p(rng.poisson(0.7, (SIDE**2, GENES))).astype(np.float32)
    predicted = (measured + rng.normal(size=measured.shape)).round(1).astype(np.float32)
    measured[:, CONSTANT], measured[:, MISSING] = 1.0, np.nan
    return torch.from_numpy(predicted), torch.from_numpy(measured)


def scores() -> dict[str, np.ndarray]:
    pos = 100.0 * np.stack(np.divmod(np.arange(SIDE**2), SIDE), axis=1)
    predicted, measured = tables()
    layout = Layout(Raster.of(pos, 100.0), knn_edges(pos, 6))
    return gene_metrics(predicted, Dense(measured), layout)


def test_as_plain_functions_say() -> None:
    found = scores()
    predicted, measured = tables()
    for gene in set(range(GENES)) - {CONSTANT, MISSING}:
        p = predicted[:, gene].double().numpy()
        m = measured[:, gene].double().numpy()
        plain = {
            "pcc": pearsonr(p, m)[0],
            "spearman": spearmanr(p, m)[0],
            "auc": roc_auc_score(m > 0, p),
            "mse": mean_squared_error(m, p),
            "mae": mean_absolute_error(m, p),
            "rmse": mean_squared_error(m, p) ** 0.5,
            "r2": r2_score(m, p),
        }
        for name, value in plain.items():
            assert found[name][gene] == pytest.approx(value, abs=1e-6), name
    np.testing.assert_allclose(found["ccc"], gene_ccc(predicted, measured), atol=1e-9)
    ratio = gene_variance_ratio(predicted, measured)
    np.testing.assert_allclose(found["variance_ratio"], ratio, atol=1e-9)
    for name in ("pcc", "spearman", "auc", "r2", "ccc", "ssim", "moran_measured"):
        assert np.isnan(found[name][[CONSTANT, MISSING]]).all(), name


@pytest.mark.parametrize(("block", "threads"), [(1, 1), (4, 2), (11, 3)])
def test_whatever_the_blocks(monkeypatch: pytest.MonkeyPatch, block: int, threads: int) -> None:
    whole = scores()
    monkeypatch.setattr(section_module, "BLOCK", block)
    monkeypatch.setattr(section_module, "THREADS", threads)
    for name, values in scores().items():
        np.testing.assert_allclose(values, whole[name], atol=1e-9, err_msg=name)


def test_ranks_of_zeros_of_either_sign_and_infinities() -> None:
    values = torch.tensor([[0.0, -0.0, 1.0, -1.0, -1.0, torch.inf, -torch.inf, 1e-40, 1.0]]).T
    np.testing.assert_array_equal(average_ranks(values), rankdata(values.numpy(), axis=0))
    np.testing.assert_array_equal(average_ranks(values[:2]), [[1.5], [1.5]])
