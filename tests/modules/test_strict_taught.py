"""Strict with a teacher: it learns from it where it helps, and is strict where it does not."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy import sparse
from torch import Tensor

from hespotex.batches.fold import Fold, PreparedSection
from hespotex.batches.loader import Batching
from hespotex.batches.spot_graph import SpotGraph
from hespotex.common.errors import InputError
from hespotex.genes.denoised import DenoisedTarget
from hespotex.genes.expression import LogRaw
from hespotex.genes.panel import GenePanel
from hespotex.genes.target import Target
from hespotex.metrics import gene_pearson
from hespotex.modules.strict import StrictModule
from hespotex.modules.strict_taught import StrictTaughtModule, teaching, teaching_counts
from hespotex.nn.committee import part_names
from hespotex.sections.graph import knn_edges
from hespotex.sections.section import SectionKey
from hespotex.splits.split import Split

D = 6
G = 40
N = 150  # spots
TRAIN = ["A", "B", "C"]
PATIENTS = {"A": "P1", "B": "P2", "C": "P3", "T": "P4"}
Patch = pytest.MonkeyPatch


def prepared(name: str, counts: NDArray[np.int64] | None = None) -> PreparedSection:
    """Three programmes that follow the image, in counts of about .4 each."""
    rng = np.random.default_rng(ord(name))
    shared = np.random.default_rng(0)
    image = rng.normal(size=(N, D)).astype(np.float32)
    amount = np.exp(image @ shared.normal(size=(D, 3)) / 3 + 0.3 * rng.normal(size=(N, 3)))
    drawn = rng.poisson(amount @ shared.gamma(0.4, 0.3, (3, G)))
    values = np.log1p(drawn if counts is None else counts)
    target = Target(sparse.csr_matrix(values), np.ones(G, dtype=bool), np.ones(N))
    pos = rng.uniform(0, 1000, (N, 2))
    place = torch.from_numpy((pos - 500).astype(np.float32))
    inputs: Any = {"image_embedding": torch.from_numpy(image), "place": place}
    graph = SpotGraph(name, pos, knn_edges(pos, 6), inputs, target)
    missing: Any = None
    return PreparedSection(missing, graph, target, {}, np.ones(N))


def fold_of(train: list[str] = TRAIN) -> Fold:
    """Sections in memory; T tests."""
    names = [*train, "T"]
    missing: Any = None
    recipe: Any = type("Told", (), {"expression": LogRaw(), "batching": Batching()})()
    return Fold(
        Split(0, 1, list(train), [], ["T"]),
        {i: SectionKey(i, PATIENTS[i]) for i in names},
        {i: prepared(i) for i in names},
        GenePanel([f"G{i}" for i in range(G)], list(train)),
        missing,
        recipe,
    ).of_training()


@pytest.fixture(autouse=True)
def one_encoder(monkeypatch: Patch) -> None:
    monkeypatch.setattr(Fold, "sources", lambda _: [("drawn", (D,))])


def fitted(module: StrictModule, fold: Fold) -> StrictModule:
    module.fit(fold)
    return module.eval()


def score(module: StrictModule, fold: Fold) -> float:
    predicted = module.predict(fold.loader(["T"], module.n_hops))["T"]
    return float(gene_pearson(predicted, fold.sections["T"].target.dense()).nanmean())


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
    with pytest.raises(InputError, match=r"section A: .*data/expression=log_normalised"):
        StrictTaughtModule(D, G).fit(replace(fold, sections={**fold.sections, "A": other}))


def test_genes_of_its_own_keep_the_settings() -> None:
    settings: dict[str, Any] = {"programmes": [3], "taught_shares": [0.5], "seed": 7}
    few = StrictTaughtModule(D, G, [1.0], [4], **settings).of_genes(5)
    assert (few.n_genes, few.penalties, few.ranks) == (5, (1.0,), (4,))
    assert (few.programmes, few.taught_shares, few.seed) == ((3,), (0.5,), 7)
