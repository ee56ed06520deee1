"""Rules for the panel by residuals, by mean and by space: against slow formulas, in one order, on
training sections only.
"""

import numpy as np
import pytest
from builders import section
from scipy import sparse

from hespotex.common.errors import InputError
from hespotex.genes.panel import RankedGenes
from hespotex.genes.ranks import HighestMeanGenes, PearsonVariableGenes, SpatialGenes
from hespotex.genes.residuals import residual_variance
from hespotex.metrics import Centred, Neighbours, autocorrelation, morans_i, sparse_morans_i
from hespotex.sections.graph import knn_edges

from .test_genes import N_GENES, tissue, tissue_in_another_order

RULES: list[type[RankedGenes]] = [PearsonVariableGenes, HighestMeanGenes, SpatialGenes]


def test_residual_variance_gene_by_gene() -> None:
    counts = tissue(0).adata.X.toarray().astype(np.float64)
    counts[:, 3], counts[0, 5] = 0, 900  # not seen; clipped
    library = counts.sum(axis=1)
    total = counts.sum()
    expected = []
    for x in counts.T:
        mu = library * x.sum() / total
        with np.errstate(invalid="ignore"):
            r = np.nan_to_num((x - mu) / np.sqrt(mu + mu**2 / 100))
        expected.append(np.clip(r, -np.sqrt(len(x)), np.sqrt(len(x))).var())
    np.testing.assert_allclose(residual_variance(sparse.csr_matrix(counts)), expected, rtol=1e-9)


def test_morans_i_gene_by_gene() -> None:
    one = tissue(0)
    values = one.adata.X.toarray().astype(np.float64)
    edges = knn_edges(one.pos, 6)
    values[:, 4] = 3
    expected = []
    for x in values.T:
        z = x - x.mean()
        cross = sum(z[j] * z[i] for j, i in edges.T)
        expected.append(len(x) / edges.shape[1] * cross / (z**2).sum() if z.any() else np.nan)
    genes = Centred.of(values.T)
    table = sparse.csr_matrix(values)
    neighbours = Neighbours(edges, len(values))
    for found in (morans_i(genes, neighbours), sparse_morans_i(table, neighbours)):
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)
    alone = Neighbours(np.empty((2, 0), dtype=np.int64), len(values))
    assert np.isnan(morans_i(genes, alone)).all()
    assert np.isnan(sparse_morans_i(table, alone)).all()


def test_morans_i_of_sparse_values_some_spots_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    one = tissue(0)
    neighbours = Neighbours(knn_edges(one.pos, 6), len(one.pos))
    whole = sparse_morans_i(one.adata.X, neighbours)
    monkeypatch.setattr(autocorrelation, "SPOTS", 7)
    np.testing.assert_allclose(sparse_morans_i(one.adata.X, neighbours), whole, rtol=1e-12)


def test_each_rule_finds_what_it_looks_for() -> None:
    sections = [tissue(0), tissue(1)]
    patterned = {f"G{i:03d}" for i in range(10)}
    for rule in (PearsonVariableGenes, SpatialGenes):
        assert len(patterned & set(rule(n_top=10).fit(sections).genes)) >= 8
    rich = {f"G{i:03d}" for i in range(N_GENES - 12, N_GENES)}
    assert set(HighestMeanGenes(n_top=6).fit(sections).genes) <= rich


@pytest.mark.parametrize("rule", RULES)
def test_the_order_of_genes_and_sections_does_not_matter(rule: type[RankedGenes]) -> None:
    sections = [tissue(0), tissue(1), tissue(2)]
    genes = rule(n_top=12).fit(sections).genes
    assert genes == sorted(genes)
    assert (
        rule(n_top=12).fit([tissue_in_another_order(s) for s in reversed(sections)]).genes == genes
    )


@pytest.mark.parametrize("rule", RULES)
def test_ties_go_by_name(rule: type[RankedGenes]) -> None:
    column = np.random.default_rng(0).poisson(5, (25, 1)).astype(np.float32)
    assert rule(n_top=2).fit(
        [section(np.repeat(column, 4, axis=1), ["D", "B", "C", "A"])]
    ).genes == ["A", "B"]


@pytest.mark.parametrize("rule", RULES)
def test_a_section_that_is_not_passed_has_no_say(rule: type[RankedGenes]) -> None:
    train = [tissue(0), tissue(1)]
    test = tissue(2)
    before = rule(n_top=12).fit(train)
    test.adata.X[:, 20:40] *= 50
    assert rule(n_top=12).fit(train) == before
    assert before.fitted_on == ["S0", "S1"]
    assert not rule.sees_all_sections


@pytest.mark.parametrize("rule", RULES)
def test_markers_and_rare_genes(rule: type[RankedGenes]) -> None:
    plain = rule(n_top=5).fit([tissue(0)]).genes
    assert set(rule(n_top=5, markers=["G079", "G000"]).fit([tissue(0)]).genes) == {
        *plain,
        "G079",
        "G000",
    }
    with pytest.raises(InputError, match=r"lower data.panel.min_spot_fraction"):
        rule(min_spot_fraction=1.1).fit([tissue(0)])
    with pytest.raises(InputError, match=r"data.panel.markers: .*XYZ"):
        rule(markers=["XYZ"]).fit([tissue(0)])


def test_genes_are_ranked_block_by_block(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    genes = [f"G{i:02d}" for i in range(50)]
    scores = [np.where(rng.random(50) < 0.2, np.nan, rng.integers(0, 9, 50)) for _ in range(7)]
    scores.append(rng.random(50))  # every gene was measured somewhere
    rule = PearsonVariableGenes(n_top=10)
    whole = rule.rank(scores, genes)
    monkeypatch.setattr("hespotex.genes.panel.BLOCK", 7)
    assert rule.rank(scores, genes).tolist() == whole.tolist()
