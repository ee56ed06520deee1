"""The contracts hold for all of ours, and tell what is wrong with what breaks them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from builders import MeanColour, section, write_her2st, write_pyramid
from builders import picture as drawn
from builders.visium import write_visium
from conftest import CHECKOUT
from documentation.pages import blocks
from torch import Tensor
from torch_geometric.data import Batch

from hespotex.batches.fold import Fold
from hespotex.encoders.histology import HistologyEncoder
from hespotex.encoders.random_vit import RandomViTEncoder
from hespotex.modules.base import ExpressionModule
from hespotex.modules.closed_form import GeneMeanModule
from hespotex.modules.retrieval import RetrievalModule
from hespotex.modules.ridge import CoordinatesModule, HestRidgeModule, RidgeModule
from hespotex.modules.ridge_taught import RidgeTaughtModule
from hespotex.modules.strict import StrictModule
from hespotex.modules.strict_taught import StrictTaughtModule
from hespotex.nuclei import NucleiPerSpot
from hespotex.nuclei.haematoxylin import HaematoxylinNuclei
from hespotex.sections.readers.her2st import Her2stReader
from hespotex.sections.readers.hest.folder import HestReader
from hespotex.sections.readers.spaceranger.visium import VisiumReader
from hespotex.sections.section import Reader, Section, SectionKey
from hespotex.splits.strategies import (
    AllSections,
    FoldStrategy,
    GroupKFold,
    LeaveOneGroupOut,
    LeaveOneSectionOut,
)
from hespotex.splits.strategies import Fold as Sides
from hespotex.testing import (
    check_counter,
    check_encoder,
    check_metric,
    check_module,
    check_reader,
    check_strategy,
    tiny_fold,
)


@pytest.fixture(scope="module")
def fold(tmp_path_factory: pytest.TempPathFactory) -> Fold:
    return tiny_fold(tmp_path_factory.mktemp("tiny"))


def test_readers(tmp_path: Path, small_demo: Path) -> None:
    write_her2st(tmp_path / "her2st")
    write_visium(tmp_path / "P1" / "outs", image=tmp_path / "P1" / "P1.tif", mpp=2.0)
    for reader in (
        Her2stReader(str(tmp_path / "her2st")),
        VisiumReader(str(tmp_path / "P1" / "outs"), images=str(tmp_path / "P1" / "P1.tif")),
        HestReader(str(small_demo)),
    ):
        check_reader(reader)


@dataclass
class Changed:
    """A reader of one good section, changed by `how`."""

    good: Section
    how: Callable[[Section, int], Section] = lambda section, _: section
    keys: Sequence[SectionKey] = (SectionKey("T1", "P1"),)
    times: int = 0

    def section_keys(self) -> list[SectionKey]:
        return list(self.keys)

    def read(self, section_id: str) -> Section:
        self.times += 1
        return self.how(replace(self.good, key=self.keys[0]), self.times)


def negative(section: Section, _: int) -> Section:
    section.adata.X.data[0] = -1
    return section


def another(section: Section, times: int) -> Section:
    return section.keep(np.arange(len(section.adata)) != times)


def outside(section: Section, _: int) -> Section:
    section.adata.obsm["spatial"] = section.pos_px + 1e5
    return section


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"keys": ()}, "at least one section"),
        ({"keys": (SectionKey("T1", "P1"),) * 2}, "stands there twice"),
        ({"keys": (SectionKey("T1", ""),)}, "a group is no text"),
        ({"how": negative}, "expected counts from 0"),
        ({"how": another}, "other counts or positions the second time"),
        ({"how": outside}, "lie outside the image"),
    ],
)
def test_wrong_readers(tmp_path: Path, change: dict[str, Any], words: str) -> None:
    good = section(image=write_pyramid(tmp_path / "a.tif", [drawn(340, 340)]))
    reader: Reader = Changed(good, **change)
    with pytest.raises((AssertionError, ValueError), match=words):
        check_reader(reader)


@pytest.mark.parametrize(
    "encoder",
    [
        HistologyEncoder("histology", [150.0], patch_px=64),
        RandomViTEncoder(name="random", patch_um=[112.0], patch_px=32),
        MeanColour(),
    ],
)
def test_encoders(encoder: Any) -> None:
    check_encoder(encoder)


class BatchNorm(MeanColour):
    def __call__(self, patches: Tensor, mpp: float) -> Tensor:
        found = super().__call__(patches, mpp)
        return found - found.mean(0)


class Drawn(MeanColour):
    def __call__(self, patches: Tensor, mpp: float) -> Tensor:
        return torch.rand(len(patches), 3)


class Divides(MeanColour):
    def __call__(self, patches: Tensor, mpp: float) -> Tensor:
        return 1 / (255 - patches.float()).flatten(1).std(1, keepdim=True)


class NoPlainIdentity(MeanColour):
    def identity(self) -> dict[str, Any]:
        return {"weights": torch.zeros(2)}


@pytest.mark.parametrize(
    ("encoder", "words"),
    [
        (BatchNorm(), "is it in eval mode"),
        (Drawn(), "alone than beside others|other numbers the second time"),
        (Divides(), "NaN or infinite; one patch is white"),
        (NoPlainIdentity(), "identity: expected plain values"),
    ],
)
def test_wrong_encoders(encoder: Any, words: str) -> None:
    with pytest.raises(AssertionError, match=words):
        check_encoder(encoder)


def test_counters(tmp_path: Path) -> None:
    one = section(image=write_pyramid(tmp_path / "a.tif", [drawn(340, 340)]))
    counter = NucleiPerSpot(HaematoxylinNuclei(around_um=100.0), count_um=100.0)
    check_counter(counter, one)


def test_metrics() -> None:
    check_metric(lambda p, m, _: float(((p - m) ** 2).mean()))
    check_metric(lambda p, m, _: ((p - m) ** 2).mean(0))


def of_the_first(p: Tensor, m: Tensor, _: Any) -> Tensor:
    return ((p - m[:, :1]) ** 2).mean(0)


def writes(p: Tensor, m: Tensor, _: Any) -> float:
    p.clamp_(0)
    return float((p - m).abs().mean())


@pytest.mark.parametrize(
    ("metric", "words"),
    [
        (of_the_first, "in another order|genes beside it"),
        (writes, "written to"),
        (lambda *_: float("nan"), "expected a number, found nan"),
        (lambda *_: [1.0, 2.0], "expected one number, or one for each"),
    ],
)
def test_wrong_metrics(metric: Any, words: str) -> None:
    with pytest.raises((AssertionError, ValueError), match=words):
        check_metric(metric)


@pytest.mark.parametrize(
    "strategy", [LeaveOneGroupOut(), LeaveOneSectionOut(), GroupKFold(n_folds=3), AllSections()]
)
def test_strategies(strategy: FoldStrategy) -> None:
    check_strategy(strategy)


class Twice(LeaveOneGroupOut):
    def folds(self, keys: Sequence[SectionKey]) -> list[Sides]:
        return [(list(keys), list(keys)[:2])]


@pytest.mark.parametrize("strategy", [Twice(), Twice(allow_leak=True)])
def test_wrong_strategies(strategy: FoldStrategy) -> None:
    with pytest.raises((AssertionError, ValueError)):
        check_strategy(strategy)


@pytest.mark.parametrize(
    "make",
    [
        GeneMeanModule,
        partial(RidgeModule, alphas=[1.0, 100.0]),
        partial(CoordinatesModule, alphas=[1.0, 100.0]),
        HestRidgeModule,
        partial(RetrievalModule, k=5),
        StrictModule,
        StrictTaughtModule,
        partial(RidgeTaughtModule, alphas=[1.0, 100.0]),
    ],
)
def test_modules(make: Callable[..., ExpressionModule], fold: Fold) -> None:
    check_module(make, fold)


class Forgets(GeneMeanModule):
    """Keeps what it has fitted beside the buffers."""

    shift = 0.0

    def fit(self, fold: Fold) -> None:
        super().fit(fold)
        self.shift = float(self.gene_mean.sum())

    def expression(self, batch: Batch) -> Tensor:
        return super().expression(batch) + self.shift


class Peeks(GeneMeanModule):
    def fit(self, fold: Fold) -> None:
        super().fit(fold)
        self.gene_mean += len(fold.sections)


class Flat(GeneMeanModule):
    def expression(self, batch: Batch) -> Tensor:
        return super().expression(batch)[:, :1]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (Forgets, "keep what is fitted in buffers"),
        (Peeks, "where the test section is not there"),
        (Flat, "expected"),
    ],
)
def test_wrong_modules(make: Any, words: str, fold: Fold) -> None:
    with pytest.raises((AssertionError, ValueError), match=words):
        check_module(make, fold)


def test_what_a_users_package_holds(monkeypatch: pytest.MonkeyPatch, fold: Fold) -> None:
    """The one that `tests/extending` trains with."""
    monkeypatch.syspath_prepend(str(CHECKOUT / "tests" / "extending" / "project"))
    (page,) = [b for b in blocks(CHECKOUT / "docs" / "extend" / "testing.md") if b.language]
    names: dict[str, Any] = {}
    exec(page.text, names)
    tests = [call for name, call in names.items() if name.startswith("test_")]
    for call in tests:
        call()
    assert len(tests) == 3
    model = import_module("mylab.model")
    check_module(partial(model.TwoLayers, width=4, optimizer=None), fold)
