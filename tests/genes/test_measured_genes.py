"""Panels of genes that some training sections did not measure: missing there, never zero."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from builders import MeanColour, picture, section, write_pyramid
from scipy import sparse
from torch_geometric.data import Batch

from hespotex.batches.assemble import ImageInputs
from hespotex.batches.fold import Fold, Recipe
from hespotex.batches.loader import Batching
from hespotex.batches.prepare import prepare_fold
from hespotex.checkup.walk import lost_genes
from hespotex.common.errors import InputError
from hespotex.embeddings.store import EmbeddingStore
from hespotex.genes.candidates import candidates
from hespotex.genes.expression import LogRaw
from hespotex.genes.gene_list import GeneList
from hespotex.genes.panel import HighlyVariableGenes, RankedGenes
from hespotex.genes.ranks import HighestMeanGenes, SpatialGenes
from hespotex.modules.base import ExpressionModule, measured
from hespotex.modules.closed_form import ClosedFormModule, GeneMeanModule
from hespotex.modules.dual_stream import DualStreamModule
from hespotex.modules.retrieval import RetrievalModule
from hespotex.modules.ridge import CoordinatesModule, HestRidgeModule, RidgeModule
from hespotex.modules.ridge_taught import RidgeTaughtModule
from hespotex.modules.strict import StrictModule, sums_of
from hespotex.modules.strict_taught import StrictTaughtModule
from hespotex.nn.ridge import RidgeSums
from hespotex.results.scores import measured_counts
from hespotex.sections.section import Section, SectionKey
from hespotex.sections.sections import Sections
from hespotex.splits.split import Split

GENES = [f"G{i:03d}" for i in range(40)]
# what each section measured, and its patient
MEASURED = {
    "A": (GENES, "P1"),
    "B": (GENES[:30], "P1"),
    "C": (GENES[:30], "P2"),
    "D": (GENES[10:], "P3"),
}


def tissue(name: str, image: Path | None = None, own: Sequence[str] | None = None) -> Section:
    """Counts that follow the place."""
    genes, group = MEASURED[name]
    genes = list(own or genes)
    row, column = np.divmod(np.arange(64), 8)
    place = 1 + column / 4 + row / 9
    numbers = [int(gene[1:]) for gene in genes]
    columns = [
        np.random.default_rng([ord(name), number]).poisson((number % 7 + 1) * place)
        for number in numbers
    ]
    counts = np.stack(columns, axis=1)
    pos = np.stack([column, row], axis=1) * 60.0
    pos += 40
    one = section(counts.astype(np.float32), genes, name, pos)
    return Section(SectionKey(name, group), one.adata, 2.0, "test", 120.0, 55.0, image)


@pytest.mark.parametrize(
    ("measured_in", "first", "last"),
    [
        ("all", 10, 30),
        (" ALL ", 10, 30),
        (4, 10, 30),
        (1.0, 0, 40),
        ("1", 0, 40),
        (2, 0, 40),
        (3, 0, 30),
        (0.75, 0, 30),
        ("0.5 groups", 0, 40),
        ("3 groups", 10, 30),
    ],
)
def test_candidates(measured_in: Any, first: int, last: int) -> None:
    assert candidates([tissue(name) for name in "ABCD"], measured_in) == GENES[first:last]


@pytest.mark.parametrize("measured_in", ["most", 0, -1, 1.5, "2 patients", None, float("nan")])
def test_words_that_say_neither(measured_in: Any) -> None:
    with pytest.raises(InputError, match=r"data\.panel\.measured_in: expected all, a number"):
        candidates([tissue("A")], measured_in)


def test_more_sections_than_there_are() -> None:
    with pytest.raises(InputError, match=r"measured_in=5: no gene was measured in 5 of the 2"):
        candidates([tissue("A"), tissue("B")], 5)


@pytest.mark.parametrize("rule", [HighlyVariableGenes, HighestMeanGenes, SpatialGenes])
def test_all_asks_what_a_number_of_all_asks(rule: Callable[..., RankedGenes]) -> None:
    sections = [tissue(name) for name in "ABC"]
    assert rule(12).fit(sections) == rule(12, measured_in=3).fit(sections)


def test_a_section_speaks_for_what_it_measured() -> None:
    """The gene of the highest mean is measured in one section only."""
    sections = [tissue(name) for name in "BCD"]
    table = sections[-1].adata
    counts = table.X.toarray()
    counts[:, table.var_names.get_loc("G035")] = 500
    table.X = sparse.csr_matrix(counts)
    assert "G035" in HighestMeanGenes(3, measured_in=1).fit(sections).genes
    assert "G035" not in HighestMeanGenes(3).fit(sections).genes


def test_a_list_may_hold_what_one_section_measured() -> None:
    sections = [tissue("B"), tissue("D")]
    with pytest.raises(InputError, match="G035"):
        GeneList(["G012", "G035"]).fit(sections)
    assert GeneList(["G012", "G035"], measured_in=1).fit(sections).genes == ["G012", "G035"]


class Tissues:
    """A reader of some of the sections."""

    def __init__(self, folder: Path, names: Sequence[str], genes: Sequence[str] | None) -> None:
        self.images = {
            name: write_pyramid(folder / f"{name}.tif", [picture(500, 500, ord(name))])
            for name in names
        }
        self.genes = genes

    def section_keys(self) -> list[SectionKey]:
        return [SectionKey(name, MEASURED[name][1]) for name in self.images]

    def read(self, section_id: str) -> Section:
        return tissue(section_id, self.images[section_id], self.genes)


def fold_of(
    folder: Path, train: str, listed: Sequence[str], own: Sequence[str] | None = None
) -> Fold:
    """Sections `train` for training and E, as C, for the test; all measured `own`, if it is
    given.
    """
    folder.mkdir(exist_ok=True)
    sections = Sections(Tissues(folder, [*train, "D"], own), min_counts=0)
    split = Split(0, 1, list(train), [], ["D"])
    recipe = Recipe(
        MeanColour(patch_um=(60.0, 120.0)),
        None,
        GeneList(list(listed), measured_in=1),
        LogRaw(),
        ImageInputs(n_neighbours=4),
        EmbeddingStore(str(folder / "store")),
        Batching(),
    )
    return prepare_fold(sections, split, recipe)


def predicted(module: ExpressionModule, fold: Fold) -> torch.Tensor:
    module.fit(fold)
    return module.predict(fold.loader(["D"], module.n_hops))["D"]


@pytest.mark.parametrize(
    "make",
    [
        StrictModule,
        StrictTaughtModule,
        partial(RidgeTaughtModule, alphas=[1.0, 100.0]),
        partial(RidgeModule, alphas=[1.0, 10.0, 100.0]),
        partial(RidgeModule, alphas=[1.0, 10.0, 100.0], neighbours=True),
        partial(CoordinatesModule, alphas=[1.0, 10.0, 100.0]),
        HestRidgeModule,
        GeneMeanModule,
    ],
)
def test_each_gene_is_fitted_on_the_sections_that_measured_it(
    tmp_path: Path, make: Callable[..., ExpressionModule]
) -> None:
    """As by a fit that knows these sections and genes only."""
    first = [f"G{i:03d}" for i in (3, 8, 21, 29)]  # of A, B and C
    second = [f"G{i:03d}" for i in (31, 33, 38)]  # of A
    union = fold_of(tmp_path / "all", "ABC", [*first, *second])
    found = predicted(make(**union.widths()), union)
    for genes, train, columns in ((first, "ABC", slice(0, 4)), (second, "A", slice(4, 7))):
        alone = fold_of(tmp_path / train, train, genes, genes)
        expected = predicted(make(**alone.widths()), alone)
        torch.testing.assert_close(found[:, columns], expected, rtol=1e-4, atol=1e-4)
    assert found.isfinite().all()


def test_strict_goes_through_the_spots_once_for_all_sets_of_genes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """And fits what it fits set by set, within rounding."""
    monkeypatch.setitem(MEASURED, "E", (GENES[:35], "P2"))
    # of A, B, C and E; of A and E; of A, whose quarters are left out inside
    fold = fold_of(tmp_path, "ABCE", ["G003", "G008", "G021", "G031", "G033", "G036", "G038"])
    seen: list[str] = []

    def told(*arguments: Any) -> Iterator[tuple[str, str, RidgeSums]]:
        for section_id, part, sums in sums_of(*arguments):
            seen.append(section_id)
            yield section_id, part, sums

    monkeypatch.setattr("hespotex.modules.strict.sums_of", told)
    widths = fold.widths()
    at_once, by_sets = (StrictModule(widths["d_image"], widths["n_genes"]) for _ in range(2))
    at_once.fit(fold)
    assert not caplog.text
    assert seen == [*"ABCE", *"AAAA"]
    monkeypatch.setattr("hespotex.modules.strict.MOST_BYTES", 0)
    monkeypatch.setattr("hespotex.modules.closed_form.MANY_SETS", 2)
    by_sets.fit(fold)
    assert "3 sets of genes were measured by different training sections" in caplog.text
    assert sorted(seen[8:]) == sorted("ABCE" + "AE" + "AAAA")
    torch.testing.assert_close(at_once.weight, by_sets.weight)
    torch.testing.assert_close(at_once.bias, by_sets.bias)


class Simple(ClosedFormModule):
    """Of a user who did not think of genes that were not measured."""

    def fit_closed_form(self, train: Iterable[Batch], val: Iterable[Batch]) -> None:
        self.total = sum(float(measured(batch).sum()) for batch in train)


def test_a_module_that_does_not_know_of_missing_genes_is_told(tmp_path: Path) -> None:
    """Rather than that these count as zero."""
    with pytest.raises(InputError, match=r"Simple cannot.*data\.panel\.measured_in=all"):
        Simple(6, 3).fit(fold_of(tmp_path, "ABC", ["G003", "G012", "G033"]))


def test_the_audit_fits_again_without_the_test_section(tmp_path: Path) -> None:
    fold = fold_of(tmp_path, "ABC", ["G003", "G012", "G033"])
    module, again = (StrictModule(6, 3) for _ in range(2))
    module.fit(fold)
    again.fit(replace(fold, sections={i: fold.sections[i] for i in "ABC"}))
    assert torch.equal(module.weight, again.weight)


def test_nearest_spots_speak_for_what_they_measured(tmp_path: Path) -> None:
    fold = fold_of(tmp_path, "ABC", ["G003", "G033"])
    found = predicted(RetrievalModule(**fold.widths(), k=80), fold)
    assert found.isfinite().all()
    lone = predicted(RetrievalModule(**fold.widths(), k=1), fold)
    of_a = fold.sections["A"].target.dense()[:, 1]
    mean = fold.gene_scaling[0][1]
    assert all(torch.isin(value, of_a) or value == mean for value in lone[:, 1])


def test_a_network_learns_from_what_was_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fold = fold_of(tmp_path, "ABC", ["G003", "G033"])
    settings = {"latent_weight": 0.0, "d_hidden": 8, "d_latent": 4}
    optimizer = partial(torch.optim.AdamW, lr=1e-3)
    module = DualStreamModule(6, 2, optimizer, **settings)  # type: ignore[arg-type]
    module.fit(fold)
    monkeypatch.setattr(module, "log", lambda *_, **__: None)
    for number, batch in enumerate(fold.loader(["A", "B", "C"], module.n_hops)):
        batch.weight = torch.ones(1)
        torch.autograd.backward(module.training_step(batch, number))
    grads = [p.grad for p in module.parameters() if p.grad is not None]
    assert grads and all(grad.isfinite().all() for grad in grads)
    assert sum(float(grad.abs().sum()) for grad in grads) > 0


def test_scaling_and_sets_of_genes_know_what_is_missing(tmp_path: Path) -> None:
    fold = fold_of(tmp_path, "ABC", ["G003", "G033"])
    mean, std = fold.gene_scaling
    of_a = fold.sections["A"].target.dense()[:, 1]
    torch.testing.assert_close(mean[1], of_a.mean())
    torch.testing.assert_close(std[1], of_a.std(correction=0))
    assert fold.sections["B"].target.dense()[:, 1].isnan().all()
    assert set(fold.gene_sets.sets["mean50"]) == {"G003", "G033"}


def test_it_is_counted_where_a_gene_was_measured(tmp_path: Path) -> None:
    fold = fold_of(tmp_path, "ABC", ["G003", "G012", "G033"])
    counts = {name: own.tolist() for name, own in measured_counts(fold).items()}
    assert counts == {
        "measured_sections": [3, 4, 2],
        "measured_groups": [2, 3, 2],
        "trained_sections": [3, 3, 1],
        "trained_groups": [2, 2, 1],
    }
    assert {unit: own.tolist() for unit, own in fold.measured_in([]).items()} == {
        "sections": [0, 0, 0],
        "groups": [0, 0, 0],
    }


@pytest.mark.parametrize(
    ("shared", "measured_in", "told"), [(280, "all", 1), (280, 0.5, 0), (9_500, "all", 0)]
)
def test_the_doctor_tells_how_many_genes_are_lost(shared: int, measured_in: Any, told: int) -> None:
    notes = lost_genes(shared, 18_000, HighlyVariableGenes(measured_in=measured_in))
    assert len(notes) == told
    assert all("17720 of the 18000" in note and "measured_in=0.5" in note for note in notes)
