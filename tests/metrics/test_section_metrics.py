"""The row of a section: what is averaged over what, and what is left out."""

import numpy as np
import pytest
import torch
from scipy.stats import pearsonr
from sklearn.metrics import adjusted_rand_score
from torch import Tensor

import hespotex.metrics
from hespotex.metrics import (
    GeneMoments,
    Layout,
    Raster,
    SectionScores,
    gene_metrics,
    gene_pearson,
    gene_set_metrics,
    section_metrics,
)
from hespotex.metrics import section as section_module
from hespotex.metrics import structure as structure_module
from hespotex.metrics.structure import cluster_agreement, gene_gene_correlation, spot_pearson
from hespotex.sections.graph import knn_edges

SIDE = 8
N = SIDE**2


class Dense:
    """A measured table that is in memory."""

    def __init__(self, values: Tensor) -> None:
        self.values = values

    def __getitem__(self, spots: Tensor) -> Tensor:
        return self.values[spots]

    def genes(self, start: int, stop: int) -> Tensor:
        return self.values[:, start:stop]


def agreement(predicted: Tensor, measured: Tensor) -> float:
    """`gene_gene_correlation` of tables that come in three pieces."""
    varies = gene_pearson(predicted, measured).isfinite().numpy()
    return gene_gene_correlation(
        zip(predicted.tensor_split(3), measured.tensor_split(3), strict=True), varies
    )


@pytest.fixture
def layout() -> Layout:
    row, column = np.mgrid[:SIDE, :SIDE]
    pos = 100.0 * np.stack([column.ravel(), row.ravel()], axis=1)
    return Layout(Raster.of(pos, 100.0), knn_edges(pos, 6))


@pytest.fixture
def pair() -> tuple[Tensor, Tensor]:
    """Two programmes behind ten genes, of which the prediction knows one."""
    generator = torch.Generator().manual_seed(0)
    programmes = torch.randn(N, 2, generator=generator)
    loading = torch.randn(2, 10, generator=generator)
    measured = (programmes @ loading + 0.5 * torch.randn(N, 10, generator=generator) + 3).clamp(
        min=0
    )
    noise = 0.2 * torch.randn(N, 10, generator=generator)
    return programmes[:, :1] @ loading[:1] + noise + 3, measured


def test_row_of_a_section(pair: tuple[Tensor, Tensor], layout: Layout) -> None:
    predicted, measured = pair
    measured[:, 0], predicted[:, 1] = torch.nan, 2.0
    per_gene = gene_metrics(predicted, Dense(measured), layout)
    row = section_metrics(per_gene, predicted, Dense(measured), layout)
    pcc = np.array(
        [
            pearsonr(predicted[:, g].double(), measured[:, g].double()).statistic
            for g in range(2, 10)
        ]
    )
    assert row["n_genes_scored"] == 8
    assert row["pcc_gene"] == pytest.approx(pcc.mean()) and row["pcc_gene_median"] == pytest.approx(
        np.median(pcc)
    )
    assert row["pcc_gene_q25"] == pytest.approx(np.percentile(pcc, 25))
    assert row["share_above_0.3"] == pytest.approx((pcc > 0.3).mean())
    assert row["rmse"] == pytest.approx(
        np.sqrt(((predicted - measured) ** 2).double().mean(0))[1:].mean().item()
    )
    both = np.isfinite(per_gene["moran_measured"] + per_gene["moran_predicted"])
    assert both.sum() == 8
    expected = pearsonr(
        per_gene["moran_measured"][both], per_gene["moran_predicted"][both]
    ).statistic
    assert row["moran_correlation"] == pytest.approx(expected)
    assert np.isnan(row["ari"]) and np.isnan(row["nmi"])


def test_blocks_of_genes_change_nothing(
    pair: tuple[Tensor, Tensor], layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    predicted = pair[0]
    measured = Dense(pair[1])
    whole = gene_metrics(predicted, measured, layout)
    row = section_metrics(whole, predicted, measured, layout)
    monkeypatch.setattr(section_module, "BLOCK", 3)
    for values in (3 * N, 70):
        for limit in ("VALUES", "CACHED", "PIECE"):
            monkeypatch.setattr(section_module, limit, values)
        for name, each in gene_metrics(predicted, measured, layout).items():
            np.testing.assert_allclose(each, whole[name], rtol=1e-12, err_msg=name)
        again = section_metrics(whole, predicted, measured, layout)
        assert again == pytest.approx(row, rel=1e-9, nan_ok=True)


def test_a_constant_prediction_has_errors_and_no_correlation(
    pair: tuple[Tensor, Tensor], layout: Layout
) -> None:
    measured = pair[1]
    predicted = measured.mean(0).expand(N, -1)
    row = section_metrics(
        gene_metrics(predicted, Dense(measured), layout), predicted, Dense(measured), layout
    )
    assert row["n_genes_scored"] == 0
    for name in (
        "pcc_gene",
        "pcc_gene_median",
        "pcc_gene_q25",
        "share_above_0.3",
        "moran_correlation",
        "gene_gene_correlation",
    ):
        assert np.isnan(row[name]), name
    assert (
        row["variance_ratio"] == 0 and row["auc"] == 0.5 and row["r2"] == pytest.approx(0, abs=1e-6)
    )
    assert row["pcc_spot"] > 0.05  # the mean profile alone


@pytest.mark.parametrize(("spread", "constant"), [(3e-6, True), (3e-5, False)])
def test_all_metrics_agree_on_what_is_constant(
    pair: tuple[Tensor, Tensor], layout: Layout, spread: float, constant: bool
) -> None:
    predicted, measured = pair
    measured = measured.double().clone()
    measured[:, 0] = 1 + spread * torch.linspace(-1, 1, N)
    scores = gene_metrics(predicted.double(), Dense(measured), layout)
    for name in ("pcc", "r2", "ccc", "ssim", "moran_measured", "variance_ratio"):
        assert np.isnan(scores[name][0]) == constant, name


def test_gene_sets_are_means_over_their_genes(pair: tuple[Tensor, Tensor]) -> None:
    pcc = gene_pearson(*pair).numpy()
    pcc[2] = np.nan
    genes = [f"G{i}" for i in range(10)]
    row = gene_set_metrics(pcc, genes, {"few": ["G1", "G2", "G3"], "none": []})
    assert (
        row["pcc_gene@few"] == pytest.approx((pcc[1] + pcc[3]) / 2)
        and row["n_genes_scored@few"] == 2
    )
    assert np.isnan(row["pcc_gene@none"]) and row["n_genes_scored@none"] == 0
    many = np.linspace(-1, 1, 200)
    assert gene_set_metrics(many, genes, {})["pcc_gene@oracle50"] == pytest.approx(
        many[150:].mean()
    )


def test_spots_over_the_measured_genes(pair: tuple[Tensor, Tensor]) -> None:
    predicted, measured = pair
    measured[:, 4] = torch.nan
    keep = [g for g in range(10) if g != 4]
    expected = [
        pearsonr(p, m).statistic
        for p, m in zip(predicted[:, keep].double(), measured[:, keep].double(), strict=True)
    ]
    np.testing.assert_allclose(spot_pearson(predicted, measured), expected, rtol=1e-9)


def test_gene_gene_correlation_is_that_of_the_upper_triangles(pair: tuple[Tensor, Tensor]) -> None:
    predicted, measured = pair
    predicted = predicted + torch.randn(N, 10, generator=torch.Generator().manual_seed(3))
    upper = np.triu_indices(10, 1)
    pairs = [np.corrcoef(values.double().numpy().T)[upper] for values in (predicted, measured)]
    assert agreement(predicted, measured) == pytest.approx(pearsonr(*pairs).statistic)
    measured[:, 0], predicted[:, 1] = torch.nan, 1.0
    rest = agreement(predicted[:, 2:], measured[:, 2:])
    assert agreement(predicted, measured) == pytest.approx(rest)
    assert np.isnan(agreement(predicted[:, :3], measured[:, :3]))


def test_columns_of_the_matrix_at_a_time_change_nothing(
    pair: tuple[Tensor, Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = agreement(*pair)
    monkeypatch.setattr(structure_module, "COLUMNS", 3)
    assert agreement(*pair) == pytest.approx(whole, rel=1e-12)


def test_clusters_against_labels() -> None:
    rng = np.random.default_rng(0)
    labels = [None if i % 10 == 0 else "ABC"[i % 3] for i in range(90)]
    blobs = torch.from_numpy(
        np.stack([5.0 * np.eye(3)[i % 3] for i in range(90)]) + rng.normal(0, 0.3, (90, 3))
    )
    assert cluster_agreement(blobs, labels) == pytest.approx((1.0, 1.0))
    noise = cluster_agreement(torch.from_numpy(rng.normal(size=(90, 3))), labels)
    assert abs(noise[0]) < 0.1 and noise[1] < 0.15
    assert adjusted_rand_score([0, 0, 1], [1, 1, 0]) == 1  # names of clusters do not matter
    for nothing in (None, [None] * 90, ["A"] * 90):
        assert np.isnan(cluster_agreement(blobs, nothing)).all()
    assert np.isnan(cluster_agreement(torch.ones(90, 3), labels)).all()


def test_scores_while_training_are_means_over_genes_then_sections() -> None:
    """Added up over pieces, far from 0, with constant and unmeasured genes."""
    generator = torch.Generator().manual_seed(0)
    scores = SectionScores()
    expected = []
    for number in range(3):
        measured = 100 + torch.randn(50, 6, generator=generator)
        predicted = measured + torch.randn(50, 6, generator=generator) - 3
        measured[:, 0], measured[:, 1], predicted[:, 2] = torch.nan, 7.0, 2.5
        if number == 2:
            predicted[:] = 1.0  # no correlation at all: the section is left out of that mean
        for p, m in zip(predicted.tensor_split(4), measured.tensor_split(4), strict=True):
            scores.update(f"S{number}", GeneMoments.of(p.requires_grad_(), m))
        error = (predicted.double() - measured.double()).square().mean(0).sqrt()
        expected.append((gene_pearson(predicted, measured).nanmean(), error.nanmean()))
    found = scores.compute()
    pcc, rmse = torch.tensor(expected).unbind(1)
    assert found["pcc_gene"].item() == pytest.approx(pcc.nanmean().item(), rel=1e-5)
    assert found["rmse"].item() == pytest.approx(rmse.nanmean().item(), rel=1e-4)
    assert not found["rmse"].requires_grad
    scores.reset()
    assert scores.compute()["pcc_gene"].isnan()


@pytest.mark.parametrize("name", hespotex.metrics.__all__)
def test_what_the_package_gives_by_name_is_its_own(name: str) -> None:
    assert getattr(hespotex.metrics, name).__module__.startswith("hespotex.metrics.")
