"""The committee: arithmetic against whole matrices, what it chooses, what it falls back on."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge
from torch import Tensor

from hespotex.common.numerics.sparse import Edges
from hespotex.metrics import gene_pearson
from hespotex.nn.committee import (
    MOST_PARTS,
    Centred,
    Chosen,
    Committee,
    Fitted,
    Principal,
    Source,
    committee_inputs,
    members_of,
    part_names,
    quarters,
    standardised,
)
from hespotex.nn.ridge import RidgeSums

D = 6
N_GENES = 10
SOURCES = [Source("one", (2, 4))]
Change = Callable[[Tensor], Tensor]
Spots = tuple[Tensor, Tensor]  # inputs (n, 3 * D), targets (n, N_GENES)


def sums_of(x: Tensor, y: Tensor) -> RidgeSums:
    x = x.double()
    y = y.double()
    return RidgeSums.of(x, y.mean(0), y.var(0, correction=0), torch.nan_to_num(y).T @ x)


def drawn(n: int, seed: int, noise: float = 1.0, width: int = 3 * D, level: float = 0.0) -> Spots:
    """Two programmes of the first D inputs, the same for every seed, and noise."""
    fixed = torch.Generator().manual_seed(99)
    own = torch.Generator().manual_seed(seed)
    truth = torch.randn(width, 2, generator=fixed).double()
    truth[D:] = 0
    truth = truth @ torch.randn(2, N_GENES, generator=fixed).double()
    x = torch.randn(n, width, generator=own).double()
    return x, x @ truth + level + noise * torch.randn(n, N_GENES, generator=own).double()


def fitted(parts: dict[str, Spots], sources: list[Source] = SOURCES, **options: object) -> Fitted:
    """Of one section a part."""
    spreads = torch.stack([y.std(0, correction=0) for _, y in parts.values()])
    std = spreads.nanmean(0).nan_to_num()
    model = Committee(sources, std, **options)  # type: ignore[arg-type]
    for name, (x, y) in parts.items():
        model.add(name, name, sums_of(x, y))
    return model.fit()


def score(model: Fitted, spots: Spots) -> float:
    return float(gene_pearson(spots[0] @ model.weight, spots[1]).nanmean())


def test_inputs_are_spot_neighbours_and_region() -> None:
    x = torch.randn(7, 3, generator=torch.Generator().manual_seed(0))
    edges = torch.tensor([[0, 1, 2, 3], [1, 2, 1, 4]])
    mean = Edges(edges, 7).mean
    expected = torch.cat([x, mean(x), mean(mean(x))], dim=1)
    torch.testing.assert_close(committee_inputs(x, edges), expected)


@pytest.mark.parametrize(
    ("groups", "n_parts"),
    [
        ({"a1": "A", "a2": "A", "b1": "B"}, 2),
        ({"a1": "A", "a2": "A", "a3": "A"}, 3),
        ({f"s{i}": f"patient {i}" for i in range(20)}, MOST_PARTS),
        ({"a1": "A", "b1": "B"}, 2),
    ],
)
def test_parts_are_groups_else_sections(groups: dict[str, str], n_parts: int) -> None:
    parts = part_names(groups)
    assert parts is not None
    assert parts.keys() == groups.keys()
    assert len(set(parts.values())) == n_parts
    if len(set(groups.values())) > 1:
        pairs = set(zip(groups.values(), parts.values(), strict=True))
        assert len(pairs) == len(set(groups.values()))  # no group on two sides


def test_a_single_section_has_quarters() -> None:
    assert part_names({"s": "A"}) is None
    place = torch.tensor([[-1.0, -1.0], [-1.0, 1.0], [1.0, -1.0], [1.0, 1.0]])
    assert quarters(place).tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(("widths", "n_members"), [((6,), 3), ((2, 4), 5), ((2, 2, 2), 6)])
def test_members_look_at_their_own_columns(widths: tuple[int, ...], n_members: int) -> None:
    """Also beside a second encoder, whose columns nobody else sees."""
    alone = members_of([Source("one", widths)])
    assert len(alone) == n_members
    both = members_of([Source("other", (3,)), Source("one", widths)])
    assert len(both) == n_members + 3
    for first, second in zip(alone, both[3:], strict=True):
        within = second.columns % (D + 3) - 3
        assert first.name == second.name
        assert (within >= 0).all()
        assert within.tolist() == (first.columns % D).tolist()
    assert all((member.columns % (D + 3) < 3).all() for member in both[:3])


def test_standardised_sums_are_those_of_standardised_spots() -> None:
    x, y = drawn(30, 0, level=5.0)
    mean_x = torch.linspace(-1, 1, 3 * D).double()
    mean_y = torch.linspace(2, 4, N_GENES).double()
    spread = torch.linspace(1, 3, N_GENES).double()
    found = standardised(sums_of(x, y), mean_x, mean_y, spread)
    expected = sums_of(x - mean_x, (y - mean_y) / spread)
    for name in ("n", "x", "y", "yy", "xx", "xy"):
        torch.testing.assert_close(getattr(found, name), getattr(expected, name))


@pytest.mark.parametrize(("d", "n"), [(4, 50), (18, 50), (18, 8)])
def test_programmes_are_singular_vectors_of_what_is_fitted(d: int, n: int) -> None:
    """With fewer inputs than genes, with more, and with fewer spots than either."""
    draw = torch.Generator().manual_seed(0)
    x = torch.randn(n, d, generator=draw).double()
    weights = torch.randn(d, N_GENES, generator=draw).double()
    along = Principal.of(Centred(x.T @ x, x.T @ x @ weights, torch.zeros(N_GENES).double()))
    directions, strengths = along.strongest(along.axes.T @ weights, 3)
    _, s, v = torch.linalg.svd(x @ weights, full_matrices=False)
    torch.testing.assert_close(strengths, s[:3], rtol=1e-6, atol=1e-6)
    torch.testing.assert_close((directions * v[:3]).sum(1).abs(), torch.ones(3).double())


@pytest.mark.parametrize("penalty", [0.1, 3.0])
def test_scores_are_those_of_the_spots(penalty: float) -> None:
    x, y = drawn(40, 0, noise=3.0)
    new = drawn(25, 1, noise=3.0)
    ridge = Ridge(penalty * x.shape[1]).fit(x.numpy(), y.numpy())
    weights = torch.from_numpy(ridge.coef_.T)
    centred = x - x.mean(0)
    _, s, v = torch.linalg.svd(centred @ weights, full_matrices=False)
    train = Principal.of(Centred.of(sums_of(x, y)))
    left_out = Centred.of(sums_of(*new)).along(train.axes)
    found = train.scores(penalty, (2, 3, None), left_out)
    expected = gene_pearson(new[0] @ weights, new[1]).mean()
    assert found[None] == pytest.approx(float(expected), abs=1e-9)
    for rank in (2, 3):
        low = weights @ v[:rank].T * (1 - (s[rank] / s[:rank]).square()) @ v[:rank]
        expected = gene_pearson(new[0] @ low, new[1]).mean()
        assert found[rank] == pytest.approx(float(expected), abs=1e-9)
        choice = Chosen("", penalty, rank, 0.0)
        torch.testing.assert_close(train.weights(choice), low)


def test_the_whole_is_the_members_predictions_by_their_shares() -> None:
    """Against whole matrices: sections standardised, each member refitted, mixed, scaled back."""
    parts = {"a": drawn(40, 0), "b": drawn(50, 1, level=7.0), "c": drawn(45, 2)}
    model = fitted(parts)
    x = torch.cat([x - x.mean(0) for x, _ in parts.values()])
    spreads = [y.std(0, correction=0) for _, y in parts.values()]
    pairs = zip(parts.values(), spreads, strict=True)
    y = torch.cat([(y - y.mean(0)) / spread for (_, y), spread in pairs])
    mixed = torch.zeros(len(x), N_GENES).double()
    for member, choice in zip(members_of(SOURCES), model.members, strict=True):
        own = x[:, member.columns]
        penalty = choice.penalty * own.shape[1] * torch.eye(own.shape[1]).double()
        fit = own @ torch.linalg.solve(own.T @ own + penalty, own.T @ y)
        if choice.rank is not None:
            u, s, v = torch.linalg.svd(fit, full_matrices=False)
            noise = s[choice.rank] if choice.rank < len(s) else 0.0
            kept = 1 - (noise / s[: choice.rank].clamp(min=1e-9)).square()
            fit = u[:, : choice.rank] * (s[: choice.rank] * kept) @ v[: choice.rank]
        mixed += choice.share * fit
    expected = mixed * model.slope * torch.stack(spreads).mean(0)
    torch.testing.assert_close(x @ model.weight, expected, rtol=1e-6, atol=1e-6)
    raw = torch.cat([x for x, _ in parts.values()])
    torch.testing.assert_close(model.bias, -raw.mean(0) @ model.weight)


def test_shares_are_a_whole_and_half_of_them_equal() -> None:
    model = fitted({"a": drawn(60, 0), "b": drawn(60, 1), "c": drawn(60, 2)})
    shares = np.array([choice.share for choice in model.members])
    assert shares.sum() == pytest.approx(1)
    assert shares.min() >= 0.5 / len(shares) - 1e-12


@pytest.mark.parametrize("pieces", [2, 3])
def test_blocks_of_a_section_are_the_section(pieces: int) -> None:
    parts = {"a": drawn(40, 0), "b": drawn(50, 1)}
    std = torch.ones(N_GENES)
    whole = Committee(SOURCES, std)
    blocks = Committee(SOURCES, std)
    for name, (x, y) in parts.items():
        whole.add(name, name, sums_of(x, y))
        for own_x, own_y in zip(x.tensor_split(pieces), y.tensor_split(pieces), strict=True):
            blocks.add(name, name, sums_of(own_x, own_y))
    torch.testing.assert_close(whole.fit().weight, blocks.fit().weight)


def test_a_section_that_comes_back_is_an_error() -> None:
    model = Committee(SOURCES, torch.ones(N_GENES))
    for name in ("a", "b"):
        model.add(name, name, sums_of(*drawn(20, 0)))
    with pytest.raises(ValueError, match="section a: its blocks must follow one another"):
        model.add("a", "a", sums_of(*drawn(20, 0)))
    with pytest.raises(ValueError, match="no section was added"):
        Committee(SOURCES, torch.ones(N_GENES)).fit()


def test_level_and_unit_of_a_section_do_not_matter() -> None:
    a = drawn(60, 0)
    b = drawn(60, 1)
    plain = fitted({"a": a, "b": b})
    shifted = fitted({"a": a, "b": (b[0], 100 + b[1])})
    torch.testing.assert_close(plain.weight, shifted.weight, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("seed", [0, 10, 20])
def test_the_penalty_follows_what_weak_inputs_tell(seed: int) -> None:
    """The first two inputs vary much, the others little; genes follow all of them, or the first."""

    def chosen(n_true: int, noise: float) -> float:
        truth = torch.zeros(3 * D, N_GENES).double()
        truth[:n_true] = drawn(n_true, 99, width=N_GENES)[0]
        parts = {}
        for i in range(4):
            x, _ = drawn(60, seed + i)
            scale = torch.where(torch.arange(3 * D) < 2, 2.0, 0.2).double()
            rest, _ = drawn(60, 300 + seed + i, width=N_GENES)
            parts[str(i)] = (x * scale, x @ truth + noise * rest)
        return fitted(parts).members[-1].penalty

    assert chosen(D, 0.01) < 1.0
    assert chosen(2, 3.0) > 1.0


def test_what_holds_in_one_part_only_is_not_believed() -> None:
    """Each part has a truth of its own on the same inputs: penalties go up where parts disagree."""
    agree = {name: drawn(40, i) for i, name in enumerate("abcd")}
    turned = {}
    for i, (name, (x, y)) in enumerate(agree.items()):
        order = torch.randperm(N_GENES, generator=torch.Generator().manual_seed(i))
        turned[name] = (x, y[:, order])
    assert fitted(agree).score > 0.9
    assert fitted(turned).score < 0.5
    assert fitted(turned).slope < fitted(agree).slope


@pytest.mark.parametrize("noise", [1.0, 5.0, 20.0])
@pytest.mark.parametrize("seed", [0, 100, 200])
def test_it_is_about_as_good_as_its_best_member(noise: float, seed: int) -> None:
    """On spots that no choice has seen."""
    sources = [Source("one", (2, 4)), Source("noise", (3,))]
    width = 3 * (D + 3)
    parts = {name: drawn(80, seed + i, noise, width) for i, name in enumerate("abcd")}
    test = drawn(2000, seed + 50, noise, width)
    model = fitted(parts, sources)
    x, y = (torch.cat(values) for values in zip(*parts.values(), strict=True))
    total = Centred.of(sums_of(x, y))
    alone = []
    for member, choice in zip(members_of(sources), model.members, strict=True):
        weights = Principal.of(total.of_columns(member.columns)).weights(choice)
        alone.append(float(gene_pearson(test[0][:, member.columns] @ weights, test[1]).mean()))
    assert score(model, test) > max(alone) - 0.02


def test_an_encoder_that_knows_nothing_gets_less_than_an_equal_share() -> None:
    """Its columns are drawn apart from the targets; the other's are not."""
    parts = {}
    for i, name in enumerate("abcd"):
        x, y = drawn(80, i)
        other = torch.randn(80, 3 * D, generator=torch.Generator().manual_seed(500 + i)).double()
        views = zip(x.chunk(3, dim=1), other.chunk(3, dim=1), strict=True)
        parts[name] = (torch.cat([torch.cat(view, dim=1) for view in views], dim=1), y)
    model = fitted(parts, [Source("knows", (D,)), Source("noise", (D,))])
    shares = dict.fromkeys(("knows", "noise"), 0.0)
    for choice in model.members:
        shares[choice.name.split(":")[0]] += choice.share
    assert shares["knows"] > 0.7 > 0.3 > shares["noise"]


def _unmeasured(y: Tensor) -> Tensor:
    return torch.full_like(y, torch.nan)


def _constant(y: Tensor) -> Tensor:
    return torch.full_like(y, 4.0)


def _single_spot(y: Tensor) -> Tensor:
    return torch.cat([torch.ones_like(y[:1]), torch.zeros_like(y[1:])])


@pytest.mark.parametrize("change", [_unmeasured, _constant, _single_spot])
@pytest.mark.parametrize("where", [["a"], ["a", "b", "c"]])
def test_a_gene_without_values_or_spread(change: Change, where: list[str]) -> None:
    """Has no weights that are not finite, and takes nothing from the other genes."""
    parts = {name: drawn(40, i) for i, name in enumerate("abc")}
    for name in where:
        parts[name][1][:, 0] = change(parts[name][1][:, 0])
    model = fitted(parts)
    assert model.weight.isfinite().all()
    assert model.bias.isfinite().all()
    assert model.weight[:, 1:].abs().amax(0).min() > 0
    assert score(model, drawn(200, 9)) > 0.5


@pytest.mark.parametrize("sizes", [(1,), (2,), (5, 5), (40,), (40, 3)])
def test_too_little_to_choose_on_falls_back(sizes: tuple[int, ...]) -> None:
    """Equal shares and the middle penalty, no error, and nothing that is not finite."""
    model = fitted({str(i): drawn(n, i) for i, n in enumerate(sizes)})
    assert {choice.penalty for choice in model.members} == {3.5}
    assert {round(choice.share, 6) for choice in model.members} == {0.2}
    assert all(choice.rank is None for choice in model.members)
    assert np.isnan(model.score)
    assert model.slope == 1
    assert model.weight.isfinite().all()


def test_targets_that_are_all_constant_fall_back() -> None:
    constant = torch.ones(40, N_GENES).double()
    parts = {name: (drawn(40, i)[0], constant) for i, name in enumerate("ab")}
    model = fitted(parts)
    assert model.weight.abs().max() == 0
    assert sum(choice.share for choice in model.members) == pytest.approx(1)


def test_choices_read_off_some_genes_fit_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hespotex.nn.committee.fit.MOST_GENES", 4)
    model = fitted({"a": drawn(60, 0), "b": drawn(60, 1)})
    assert model.weight.shape == (3 * D, N_GENES)
    assert float(gene_pearson(drawn(200, 9)[0] @ model.weight, drawn(200, 9)[1]).min()) > 0.5
