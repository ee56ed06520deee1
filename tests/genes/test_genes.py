"""Gene panels: the seurat_v3 formula, one order for ever, and nothing seen that was not passed."""

import numpy as np
import pytest
from builders import section
from numpy.typing import NDArray
from scipy import sparse

from hespotex.common.errors import InputError
from hespotex.genes.candidates import shared_genes
from hespotex.genes.panel import GenePanel, HighlyVariableGenes, PanelRule, PublishedGenes
from hespotex.genes.variability import normalised_variance
from hespotex.sections.section import Section

N_SPOTS = 60
N_GENES = 80
Counts = NDArray[np.float32]


def tissue(seed: int, genes: list[str] | None = None, n_genes: int = N_GENES) -> Section:
    """Overdispersed counts; the first ten genes follow a pattern and so vary most."""
    rng = np.random.default_rng(seed)
    mean = np.geomspace(0.2, 20, n_genes) * np.ones((N_SPOTS, 1))
    mean[: N_SPOTS // 3, :10] *= 12
    counts = rng.poisson(mean).astype(np.float32)
    pos = np.stack(np.divmod(np.arange(N_SPOTS), 10), axis=1) * 60.0
    return section(counts, genes, f"S{seed}", pos)


def slow_normalised_variance(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """seurat_v3 gene by gene on a dense matrix, with loess of span 0.3."""
    from skmisc.loess import loess

    n = len(counts)
    mean = counts.mean(axis=0)
    variance = counts.var(axis=0, ddof=1)
    varies = variance > 0
    model = loess(np.log10(mean[varies]), np.log10(variance[varies]), span=0.3, degree=2)
    model.fit()
    std = np.ones(counts.shape[1])
    std[varies] = np.sqrt(10**model.outputs.fitted_values)
    result = np.zeros(counts.shape[1])
    for g in np.flatnonzero(varies):
        z = np.minimum((counts[:, g] - mean[g]) / std[g], np.sqrt(n))
        result[g] = (z**2).sum() / (n - 1)
    return result


@pytest.mark.parametrize("n_genes", [1, 2, 3, 4, 5, 9])
def test_few_genes(n_genes: int) -> None:
    """Three of them ended the process in loess."""
    found = normalised_variance(tissue(0, n_genes=n_genes).adata.X)
    assert found.shape == (n_genes,) and np.isfinite(found).all()


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("form", [sparse.csr_matrix, sparse.csc_matrix])
def test_normalised_variance_is_seurat_v3(seed: int, form: type) -> None:
    counts = tissue(seed).adata.X.toarray().astype(np.float64)
    counts[:, [3, 40]] = 0  # not seen
    counts[:, 41] = 7  # constant
    counts[0, 42] = 5000  # clipped
    found = normalised_variance(form(counts))
    # loess jumps by some per cent where genes of one mean are told apart by rounding alone
    np.testing.assert_allclose(found, slow_normalised_variance(counts), rtol=1e-6, atol=1e-12)
    assert (found[[3, 40, 41]] == 0).all()


def test_genes_of_one_mean_are_not_told_apart_by_rounding() -> None:
    counts = np.concatenate(
        [tissue(seed).adata.X.toarray().astype(np.float64) for seed in (2, 7)], axis=1
    )
    np.testing.assert_allclose(
        normalised_variance(sparse.csr_matrix(counts)), slow_normalised_variance(counts), rtol=1e-6
    )


@pytest.mark.parametrize("value", [70, 999])
def test_a_constant_gene_does_not_vary(value: int) -> None:
    counts = tissue(0).adata.X.toarray().astype(np.float64)
    before = normalised_variance(sparse.csr_matrix(counts))
    found = normalised_variance(sparse.csr_matrix(np.c_[counts, np.full(N_SPOTS, value)]))
    assert found[-1] == 0
    np.testing.assert_allclose(found[:-1], before)


@pytest.mark.parametrize(
    "counts", [np.zeros((10, 5)), np.ones((10, 5)), np.eye(10, 2), np.ones((1, 5))]
)
def test_matrices_without_a_trend(counts: NDArray[np.float64]) -> None:
    assert (normalised_variance(sparse.csr_matrix(counts)) == 0).all()


def test_a_small_sparse_section_still_has_finite_values() -> None:
    counts = np.random.default_rng(0).poisson(0.1, (12, 8)).astype(float)
    counts[0] += 1
    values = normalised_variance(sparse.csr_matrix(counts))
    assert np.isfinite(values).all() and (values >= 0).all()


def test_variable_genes_are_found_and_sorted() -> None:
    panel = HighlyVariableGenes(n_top=10).fit([tissue(0), tissue(1)])
    assert panel.genes == sorted(panel.genes) and len(panel.genes) == 10
    assert len(set(panel.genes) & {f"G{i:03d}" for i in range(10)}) >= 8 and panel.fitted_on == [
        "S0",
        "S1",
    ]


def test_the_order_of_genes_and_sections_does_not_matter() -> None:
    sections = [tissue(0), tissue(1), tissue(2)]
    genes = HighlyVariableGenes(n_top=12).fit(sections).genes
    shuffled = [tissue_in_another_order(s) for s in reversed(sections)]
    assert (
        HighlyVariableGenes(n_top=12).fit(shuffled).genes
        == genes
        == HighlyVariableGenes(n_top=12).fit(sections).genes
    )


def tissue_in_another_order(original: Section) -> Section:
    order = np.random.default_rng(9).permutation(original.adata.n_vars)
    genes = [str(original.adata.var_names[i]) for i in order]
    return section(
        original.adata.X.toarray()[:, order], genes, original.section_id, original.pos_px
    )


def test_a_section_that_is_not_passed_has_no_say() -> None:
    train = [tissue(0), tissue(1)]
    test = tissue(2)
    before = HighlyVariableGenes(n_top=12).fit(train)
    test.adata.X[:, 20:40] *= 50
    assert HighlyVariableGenes(n_top=12).fit(train) == before
    assert HighlyVariableGenes(n_top=12).fit([*train, test]).genes != before.genes


@pytest.mark.parametrize(
    "rule", [HighlyVariableGenes(n_top=5), PublishedGenes(n_top=5, min_cells=10)]
)
def test_markers_are_always_in(rule: HighlyVariableGenes | PublishedGenes) -> None:
    sections = [tissue(0), tissue(1)]
    plain = rule.fit(sections).genes
    marked = type(rule)(
        n_top=5, markers=["G079", "G000"], **({"min_cells": 10} if rule.sees_all_sections else {})
    ).fit(sections)
    assert set(marked.genes) == {*plain, "G079", "G000"} and marked.genes == sorted(marked.genes)


@pytest.mark.parametrize(
    "rule", [HighlyVariableGenes(markers=["g001", "XYZ"]), PublishedGenes(markers=["g001", "XYZ"])]
)
def test_unknown_markers_are_named_with_what_is_near(rule: PanelRule) -> None:
    with pytest.raises(
        InputError, match=r"data.panel.markers: .*g001 \(near: G\d+.*XYZ \(near: none\)"
    ):
        rule.fit([tissue(0)])


def test_a_marker_must_be_in_every_section() -> None:
    genes = [f"G{i:03d}" for i in range(N_GENES)]
    with pytest.raises(InputError, match=r"data.panel.markers: .*G079"):
        HighlyVariableGenes(markers=["G079"]).fit([tissue(0), tissue(1, [*genes[:-1], "OTHER"])])


def test_rare_genes_are_left_out() -> None:
    one = tissue(0)
    seen = (one.adata.X.toarray() > 0).mean(axis=0)
    panel = HighlyVariableGenes(n_top=1000, min_spot_fraction=0.5).fit([one])
    assert panel.genes == [f"G{i:03d}" for i in np.flatnonzero(seen >= 0.5)]
    with pytest.raises(
        InputError,
        match=(
            r"no gene has counts in 110% of the training spots; lower data.panel.min_spot_fraction"
        ),
    ):
        HighlyVariableGenes(min_spot_fraction=1.1).fit([one])


@pytest.mark.parametrize("min_cells", [0, 40, 100])
def test_published_genes_are_the_union(min_cells: int) -> None:
    sections = [tissue(0), tissue(1), tissue(2)]
    expected: set[str] = set()
    for one in sections:
        values = normalised_variance(one.adata.X)
        expected |= {f"G{i:03d}" for i in np.argsort(-values, kind="stable")[:15]}
    seen = np.sum([np.asarray((one.adata.X > 0).sum(axis=0)).ravel() for one in sections], axis=0)
    expected = {gene for gene in expected if seen[int(gene[1:])] >= min_cells}
    panel = PublishedGenes(n_top=15, min_cells=min_cells).fit(sections)
    assert (
        panel == GenePanel(sorted(expected), ["S0", "S1", "S2"])
        and PublishedGenes.sees_all_sections
    )


def test_published_genes_of_1100_and_more_are_not_filtered() -> None:
    assert len(PublishedGenes(n_top=1100, min_cells=10**9).fit([tissue(0)]).genes) == N_GENES
    with pytest.raises(
        InputError,
        match=r"only 0 genes have counts in 1000 spots of all sections; lower data.panel.min_cells",
    ):
        PublishedGenes().fit([tissue(0)])


def test_shared_genes() -> None:
    genes = [f"G{i:03d}" for i in range(N_GENES)]
    assert shared_genes([tissue(0), tissue(1, [*reversed(genes[5:]), *"ABCDE"])]) == genes[5:]
    with pytest.raises(
        InputError,
        match=r"share no gene name .*'S0': 'G000', 'S1': 'ENSG0'.* Ensembl ids in another",
    ):
        shared_genes([tissue(0), tissue(1, [f"ENSG{i}" for i in range(N_GENES)])])
