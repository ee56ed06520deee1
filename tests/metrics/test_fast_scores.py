"""Fast scores of genes against plain, slow ones, gene by gene and spot by spot."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy.stats import pearsonr, spearmanr
from sklearn.metrics import mean_absolute_error, mean_squared_error, r2_score, roc_auc_score
from test_section_metrics import Dense

from hespotex.metrics import Layout, Raster, gene_metrics
from hespotex.metrics import section as section_module
from hespotex.sections.graph import knn_edges

PITCH = 100.0
WINDOW = 3  # px to each side
Values = np.ndarray
Plain = Callable[[Values, Values], float]


def awkward(n: int, seed: int = 0) -> tuple[Values, Values]:
    """Predicted and measured (n, 12), each gene with a trouble of its own."""
    rng = np.random.default_rng(seed)
    measured = np.log1p(rng.poisson(0.7, (n, 12))).astype(np.float32)
    predicted = (0.5 * measured + rng.normal(1, 0.3, measured.shape)).astype(np.float32)
    measured[:, 0] = 1.7  # constant
    measured[:, 1] = np.nan  # not measured
    predicted[:, 2] = 0.3
    measured[:, 3] = 0
    predicted[:, 4] = predicted[:, 4].round()  # ties
    predicted[:, 5] = predicted[:, 5].clip(0.9)
    measured[0, 6] = 1000  # one spot has it all
    measured[:, 7] += 100
    predicted[:, 7] += 100
    measured[:, 8] *= 1e-3
    predicted[:, 8] *= 1e-3
    measured[:, 9] -= 2  # below 0
    predicted[:, 10] *= -1
    return predicted, measured


def places(n: int, hexagonal: bool) -> Values:
    """Spots of a section with holes, in no order."""
    rng = np.random.default_rng(1)
    row, column = np.divmod(rng.permutation(n + n // 5)[:n], int(n**0.5) + 1)
    shift = 0.5 * (row % 2) * hexagonal
    return PITCH * np.stack([column + shift, row * (0.75**0.5 if hexagonal else 1)], axis=1)


def plain_moran(values: Values, edges: Values) -> float:
    z = values - values.mean()
    cross = sum(z[j] * z[i] for j, i in edges.T)
    return len(z) / edges.shape[1] * cross / (z**2).sum()


def plain_ssim(predicted: Values, measured: Values, spot: Values) -> float:
    """Window by window, over the spots that each shows."""
    c1, c2 = ((k * np.ptp(measured)) ** 2 for k in (0.01, 0.03))
    found = []
    for i, j in np.argwhere(spot >= 0):
        rows = slice(max(i - WINDOW, 0), i + WINDOW + 1)
        window = spot[rows, max(j - WINDOW, 0) : j + WINDOW + 1]
        p = predicted[window[window >= 0]]
        m = measured[window[window >= 0]]
        covariance = ((p - p.mean()) * (m - m.mean())).mean()
        luminance = (2 * p.mean() * m.mean() + c1) / (p.mean() ** 2 + m.mean() ** 2 + c1)
        found.append(luminance * (2 * covariance + c2) / (p.var() + m.var() + c2))
    return float(np.mean(found))


def concordance(p: Values, m: Values) -> float:
    spread = p.var() + m.var() + (p.mean() - m.mean()) ** 2
    return float(2 * np.cov(p, m, bias=True)[0, 1] / spread)


def plain_scores(layout: Layout, lowest: float) -> dict[str, tuple[Plain, str]]:
    """Each metric as a library or a loop has it, and what it does not exist without: a measured
    gene that varies, or both.
    """
    counted = np.isfinite(lowest)
    return {
        "pcc": (lambda p, m: pearsonr(p, m)[0], "both"),
        "spearman": (lambda p, m: spearmanr(p, m)[0], "both"),
        "mse": (lambda p, m: mean_squared_error(m, p), ""),
        "rmse": (lambda p, m: mean_squared_error(m, p) ** 0.5, ""),
        "mae": (lambda p, m: mean_absolute_error(m, p), ""),
        "mean_measured": (lambda _, m: m.mean(), ""),
        "r2": (lambda p, m: r2_score(m, p), "measured"),
        "ccc": (concordance, "measured"),
        "variance_ratio": (lambda p, m: p.var() / m.var(), "measured"),
        "ssim": (lambda p, m: plain_ssim(p, m, layout.raster.spot), "measured"),
        "moran_measured": (lambda _, m: plain_moran(m, layout.edges), "measured"),
        "moran_predicted": (lambda p, _: plain_moran(p, layout.edges), "predicted"),
        "auc": (lambda p, m: roc_auc_score(m > lowest, p) if counted else np.nan, "counts"),
    }


def there_is(needed: str, p: Values, m: Values) -> bool:
    """Whether a plain score has a value."""
    if needed != "predicted" and np.isnan(m).any():
        return False
    varies = {"predicted": p.var() >= 1e-10, "measured": m.var() >= 1e-10}
    varies["both"] = all(varies.values())
    varies["counts"] = 0 < np.count_nonzero(m > 0) < len(m)
    return not needed or varies[needed]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("lowest", [0.0, -np.inf])
@pytest.mark.parametrize("hexagonal", [False, True])
@pytest.mark.parametrize("n", [1, 2, 3, 8, 150])
def test_as_plain_functions_say(n: int, hexagonal: bool, lowest: float) -> None:
    predicted, measured = awkward(n)
    pos = places(n, hexagonal)
    layout = Layout(Raster.of(pos, PITCH), knn_edges(pos, 6))
    tables = torch.from_numpy(predicted), Dense(torch.from_numpy(measured))
    found = gene_metrics(*tables, layout, lowest)
    for name, (plain, needed) in plain_scores(layout, lowest).items():
        for gene, (p, m) in enumerate(zip(predicted.T, measured.T, strict=True)):
            both = p.astype(np.float64), m.astype(np.float64)
            expected = plain(*both) if there_is(needed, *both) else np.nan
            same = pytest.approx(expected, rel=1e-6, abs=1e-6, nan_ok=True)
            assert found[name][gene] == same, (name, gene)


@pytest.mark.parametrize(("block", "cached", "threads"), [(1, 1, 1), (4, 300, 2), (12, 900, 3)])
def test_whatever_the_blocks(
    monkeypatch: pytest.MonkeyPatch, block: int, cached: int, threads: int
) -> None:
    predicted, measured = awkward(150)
    pos = places(150, False)
    layout = Layout(Raster.of(pos, PITCH), knn_edges(pos, 6))
    tables = torch.from_numpy(predicted), Dense(torch.from_numpy(measured))
    whole = gene_metrics(*tables, layout)
    monkeypatch.setattr(section_module, "BLOCK", block)
    monkeypatch.setattr(section_module, "CACHED", cached)
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    for name, values in gene_metrics(*tables, layout).items():
        np.testing.assert_allclose(values, whole[name], atol=1e-9, err_msg=name)
