"""With a teacher: strict learns from it where it helps, and is strict where it does not; a ridge
gets the same.
"""

from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
import pytest
import torch
from torch import Tensor

from hespotex.batches.fold import Fold
from hespotex.common.errors import InputError
from hespotex.genes.denoised import DenoisedTarget
from hespotex.genes.target import Target
from hespotex.modules.closed_form import ClosedFormModule
from hespotex.modules.ridge import RidgeModule
from hespotex.modules.ridge_taught import RidgeTaughtModule
from hespotex.modules.strict import StrictModule
from hespotex.modules.strict_taught import StrictTaughtModule
from hespotex.modules.teaching import taught_fold, teaching, teaching_counts
from hespotex.nn.committee import part_names

from .counted import PATIENTS, TRAIN, D, G, N, fold_of, prepared, score

Patch = pytest.MonkeyPatch
ALPHAS = [10.0, 100.0]
M = TypeVar("M", bound=ClosedFormModule)


@pytest.fixture(autouse=True)
def one_encoder(monkeypatch: Patch) -> None:
    monkeypatch.setattr(Fold, "sources", lambda _: [("drawn", (D,))])


def fitted(module: M, fold: Fold) -> M:
    module.fit(fold)
    return module.eval()


def share(caplog: pytest.LogCaptureFixture) -> float:
    (line,) = [record for record in caplog.records if "teacher says" in record.msg]
    assert isinstance(line.args, tuple)
    return float(str(line.args[0]))


def test_it_learns_from_a_teacher_who_knows_more(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    fold = fold_of()
    taught = fitted(StrictTaughtModule(D, G), fold)
    assert share(caplog) > 0
    assert score(taught, fold) > score(fitted(StrictModule(D, G), fold), fold)


def test_a_teacher_who_mistakes_the_genes_is_not_heard(
    monkeypatch: Patch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    look = DenoisedTarget.__getitem__
    order = torch.randperm(G, generator=torch.Generator().manual_seed(0))

    def mistaken(self: DenoisedTarget, spots: Tensor) -> Tensor:
        return look(self, spots)[:, order]

    monkeypatch.setattr(DenoisedTarget, "__getitem__", mistaken)
    fold = fold_of()
    taught = fitted(StrictTaughtModule(D, G), fold)
    assert share(caplog) == 0
    strict = fitted(StrictModule(D, G), fold)
    assert torch.equal(taught.weight, strict.weight) and torch.equal(taught.bias, strict.bias)


def test_share_0_alone_is_strict() -> None:
    fold = fold_of()
    taught = fitted(StrictTaughtModule(D, G, taught_shares=[0.0]), fold)
    assert torch.equal(taught.weight, fitted(StrictModule(D, G), fold).weight)


def test_the_same_seed_gives_the_same_and_held_out_counts_are_not_read() -> None:
    fold = fold_of()
    sections = {**fold.sections, "T": prepared("T", np.full((N, G), 7))}
    one, other = (StrictTaughtModule(D, G, taught_shares=[0.5], seed=4) for _ in range(2))
    fitted(one, fold)
    fitted(other, replace(fold, sections=sections))
    assert torch.equal(one.weight, other.weight) and torch.equal(one.bias, other.bias)
    assert not torch.equal(one.weight, fitted(StrictModule(D, G), fold).weight)


def test_a_teacher_has_not_seen_the_part_that_judges_it() -> None:
    """Other counts there change nothing of what it says."""
    fold = fold_of()
    module = fitted(StrictTaughtModule(D, G), fold)
    parts = part_names({i: PATIENTS[i] for i in TRAIN})
    assert parts is not None
    changed = {**fold.sections, "B": prepared("B", np.full((N, G), 7))}
    assert isinstance(module, StrictTaughtModule)
    one = module._taught(fold, parts, parts["B"])
    one._close()
    other = module._taught(replace(fold, sections=changed), parts, parts["B"])
    other._close()
    assert set(one.parts) == {(None, parts["A"]), (None, parts["C"])}
    assert all(torch.equal(sums.xy, other.parts[place].xy) for place, sums in one.parts.items())


def test_of_one_section_other_quarters_teach() -> None:
    fold = fold_of(["A"])
    spots = [teaching(fold, ["A"], None, f"quarter {number}")["A"] for number in range(4)]
    assert sum(map(len, spots)) == 3 * N
    assert len(teaching(fold, ["A"], None, None)["A"]) == N
    module = StrictTaughtModule(D, G)
    fitted(module, fold)
    taught = module._taught(fold, None, "quarter 2")
    taught._close()
    assert {part for _, part in taught.parts} == {"quarter 0", "quarter 1", "quarter 3"}


def test_no_more_spots_teach_than_are_allowed(monkeypatch: Patch) -> None:
    fold = fold_of()
    spots = teaching(fold, TRAIN, {}, None)
    assert teaching_counts(fold, spots, seed=0).shape == (3 * N, G)
    monkeypatch.setattr("hespotex.genes.denoised.MOST_NUMBERS", 61 * G)
    few = teaching_counts(fold, spots, seed=0)
    assert few.shape == (60, G)
    assert (few != teaching_counts(fold, spots, seed=1)).nnz
    assert fitted(StrictTaughtModule(D, G), fold).weight.isfinite().all()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"programmes": []}, r"model\.module\.programmes"),
        ({"programmes": [0, 4]}, r"model\.module\.programmes"),
        ({"programmes": [4.5]}, r"model\.module\.programmes"),
        ({"programmes": None}, r"model\.module\.programmes"),
        ({"programmes": [None]}, r"model\.module\.programmes"),
        ({"taught_shares": [None]}, r"model\.module\.taught_shares"),
        ({"taught_shares": []}, r"model\.module\.taught_shares"),
        ({"taught_shares": [1.5]}, r"model\.module\.taught_shares"),
    ],
)
def test_settings_that_mean_nothing_are_refused(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        StrictTaughtModule(D, G, **settings)


def test_a_target_that_is_no_log_of_counts_is_refused() -> None:
    fold = fold_of()
    own = fold.sections["A"]
    other = replace(own, target=Target(own.target.values, own.target.known))
    broken = replace(fold, sections={**fold.sections, "A": other})
    for module in (StrictTaughtModule(D, G), RidgeTaughtModule(D, G, ALPHAS)):
        with pytest.raises(InputError, match=r"section A: .*data/expression=log_normalised"):
            module.fit(broken)


def test_genes_of_its_own_keep_the_settings() -> None:
    settings: dict[str, Any] = {"programmes": [3], "taught_shares": [0.5], "seed": 7}
    few = StrictTaughtModule(D, G, [1.0], [4], **settings).of_genes(5)
    assert (few.n_genes, few.penalties, few.ranks) == (5, (1.0,), (4,))
    assert (few.programmes, few.taught_shares, few.seed) == ((3,), (0.5,), 7)


def test_a_ridge_is_the_mean_of_both() -> None:
    fold = fold_of()
    spots = teaching(fold, TRAIN, {}, None)
    denoised = taught_fold(fold, spots, [4], 3)
    one, two = (fitted(RidgeModule(D, G, ALPHAS, True), own) for own in (fold, denoised))
    both = fitted(RidgeTaughtModule(D, G, ALPHAS, programmes=[4], seed=3), fold)
    assert not torch.allclose(one.linear.weight, two.linear.weight, rtol=0.01)
    torch.testing.assert_close(both.linear.weight, (one.linear.weight + two.linear.weight) / 2)
    assert torch.equal(both.gene_mean, one.gene_mean)


def test_a_ridge_learns_from_the_teacher() -> None:
    fold = fold_of()
    taught = fitted(RidgeTaughtModule(D, G, ALPHAS), fold)
    assert score(taught, fold) > score(fitted(RidgeModule(D, G, ALPHAS, True), fold), fold)


def test_a_ridge_reads_no_held_out_counts() -> None:
    fold = fold_of()
    changed = replace(fold, sections={**fold.sections, "T": prepared("T", np.full((N, G), 7))})
    one, other = (fitted(RidgeTaughtModule(D, G, ALPHAS), own) for own in (fold, changed))
    assert torch.equal(one.linear.weight, other.linear.weight)


def test_a_ridge_of_genes_of_its_own_keeps_the_settings() -> None:
    few = RidgeTaughtModule(D, G, ALPHAS, False, [3], 7).of_genes(5)
    assert (few.n_genes, few.alphas, few.neighbours) == (5, ALPHAS, False)
    assert (few.programmes, few.seed) == ((3,), 7)
    with pytest.raises(InputError, match=r"model\.module\.programmes"):
        RidgeTaughtModule(D, G, ALPHAS, programmes=[])
