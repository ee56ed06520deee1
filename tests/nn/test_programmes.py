"""Reduced-rank ridge regression: against plain formulas on whole matrices, and what it is for."""

import pytest
import torch
from torch import Tensor

from hespotex.nn.programmes import ProgrammeRidge, Scale, shared_programmes
from hespotex.nn.ridge import RidgeSums
from hespotex.sparse import Edges

D, N_GENES = 6, 9
Graph = tuple[Tensor, Tensor]  # embedding, edges


@pytest.fixture
def graphs() -> list[Graph]:
    draw = torch.Generator().manual_seed(0)
    return [(torch.randn(n, D, generator=draw), torch.randint(0, n, (2, 4 * n), generator=draw)) for n in (60, 80)]


@pytest.fixture
def targets(graphs: list[Graph]) -> list[Tensor]:
    """Two programmes of the image, much noise, and another level and spread in each section."""
    draw = torch.Generator().manual_seed(1)
    truth = torch.randn(D, 2, generator=draw) @ torch.randn(2, N_GENES, generator=draw)
    values = [x @ truth + 3 * torch.randn(len(x), N_GENES, generator=draw) for x, _ in graphs]
    return [values[0], 5 * values[1] + 7]


def inputs(graph: Graph, hops: int) -> Tensor:
    x, region = graph[0], graph[0]
    for _ in range(hops):
        region = Edges(graph[1], len(x)).mean(region)
    return torch.cat([x, region], dim=1) if hops else x


def fit(model: ProgrammeRidge, graphs: list[Graph], targets: list[Tensor]) -> list[Scale]:
    sums = {}
    for number, (graph, y) in enumerate(zip(graphs, targets, strict=True)):
        x = model.inputs(*graph)
        sums[str(number)] = RidgeSums.of(x, y.mean(0), y.var(0, correction=0), torch.nan_to_num(y).T @ x)
    return list(model.fit(sums, torch.ones(N_GENES)).values())


def weight(model: ProgrammeRidge) -> Tensor:
    """(n_inputs, n_genes)"""
    return model.coefficients @ model.gene_weights().T


@pytest.mark.parametrize("hops", [0, 1, 2])
def test_it_is_the_plain_formula(graphs: list[Graph], targets: list[Tensor], hops: int) -> None:
    model = ProgrammeRidge(D, N_GENES, alpha=0.5, rank=3, hops=hops)
    fit(model, graphs, targets)
    x = torch.cat([inputs(g, hops) - inputs(g, hops).mean(0) for g in graphs]).double()
    y = torch.cat([(t - t.mean(0)) / t.std(0, correction=0) for t in targets]).double()
    fitted = x @ torch.linalg.solve(x.T @ x + 0.5 * x.shape[1] * torch.eye(x.shape[1]).double(), x.T @ y)
    u, s, v = torch.linalg.svd(fitted, full_matrices=False)
    kept = torch.clamp(1 - (s[3] / s[:3]) ** 2, min=0)
    expected = u[:, :3] * (s[:3] * kept) @ v[:3] * torch.stack([t.std(0, correction=0) for t in targets]).mean(0)
    found = torch.cat([p - p.mean(0) for p in (model(*g) @ model.gene_weights().T for g in graphs)])
    torch.testing.assert_close(found.double(), expected, rtol=1e-3, atol=1e-3)


def test_level_of_a_section_does_not_matter(graphs: list[Graph], targets: list[Tensor]) -> None:
    plain, shifted = (ProgrammeRidge(D, N_GENES, 0.5, 2, 1) for _ in range(2))
    fit(plain, graphs, targets)
    fit(shifted, graphs, [targets[0], targets[1] + 100])
    torch.testing.assert_close(weight(plain), weight(shifted), rtol=1e-2, atol=5e-3)


def test_few_programmes_tell_more_than_single_genes(graphs: list[Graph], targets: list[Tensor]) -> None:
    draw = torch.Generator().manual_seed(1)
    truth = (torch.randn(D, 2, generator=draw) @ torch.randn(2, N_GENES, generator=draw)).double()
    new = torch.randn(500, D, generator=torch.Generator().manual_seed(2)).double()

    def error(rank: int) -> float:
        model = ProgrammeRidge(D, N_GENES, 0.1, rank, 0)
        fit(model, graphs[:1], targets[:1])
        return float((new @ (weight(model).double() - truth)).square().mean())

    assert error(2) < error(N_GENES)


def test_directions_beyond_what_there_is_are_empty() -> None:
    directions, kept = shared_programmes(torch.randn(2, 5).double(), torch.eye(2).double(), 4)
    assert directions.shape == (4, 5)
    assert directions[2:].abs().max() == 0
    assert kept[:2].tolist() == [1, 1]


def test_scores_and_genes_are_one_scale(graphs: list[Graph], targets: list[Tensor]) -> None:
    """What is measured of a section, put into programmes and back, is the part of it along these."""
    model = ProgrammeRidge(D, N_GENES, 1e-6, 2, 0)
    scales = fit(model, graphs, targets)

    def scores() -> list[Tensor]:
        return [y @ w - b for y, (w, b) in zip(targets, map(model.measured, scales), strict=True)]

    model.fit_unit(scores())
    whole = torch.cat(scores())
    assert whole.std(0, correction=0).mean() == pytest.approx(1, abs=1e-4)
    assert whole.mean(0).abs().max() < 1e-3
    genes = [s @ (model.gene_weights() * model.unit).T for s in scores()]
    assert min(float((g * (t - t.mean(0))).sum()) for g, t in zip(genes, targets, strict=True)) > 0


def test_a_gene_without_values_or_spread_stays_at_its_mean(graphs: list[Graph], targets: list[Tensor]) -> None:
    model = ProgrammeRidge(D, N_GENES, 0.5, 2, 0)
    for target in targets:
        target[:, 0], target[:, 1] = torch.nan, 4.0
    scales = fit(model, graphs, targets)
    assert weight(model).isfinite().all() and weight(model)[:, :2].abs().max() < 1e-5
    assert all(part.isfinite().all() for scale in scales for part in (*scale, *model.measured(scale)))
