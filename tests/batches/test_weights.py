"""Neither a large section nor a large patient drowns the rest, where that is asked for."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from builders import MeanColour
from numpy.typing import NDArray

from hespotex.batches.assemble import ImageInputs
from hespotex.batches.fold import Fold, Recipe
from hespotex.batches.loader import Batching, BlockLoader
from hespotex.batches.prepare import prepare_fold
from hespotex.batches.weights import UNITS, spot_weights
from hespotex.common.errors import InputError
from hespotex.embeddings.store import EmbeddingStore
from hespotex.genes.expression import LogNormalised
from hespotex.genes.panel import HighlyVariableGenes
from hespotex.modules.ridge import RidgeModule
from hespotex.modules.strict import StrictModule
from hespotex.sections.readers.hest.folder import HestReader
from hespotex.sections.sections import Sections
from hespotex.splits.split import Split

SIZES = {"A": 10, "B": 30, "C": 200}
GROUPS = {"A": "P1", "B": "P1", "C": "P2"}
Floats = NDArray[np.float64]


@pytest.mark.parametrize("unit", UNITS)
def test_every_unit_has_the_same_say(unit: str) -> None:
    weights = spot_weights(unit, SIZES, GROUPS)
    totals = {i: weights[i] * n for i, n in SIZES.items()}
    assert sum(totals.values()) == pytest.approx(240)
    if unit == "spots":
        assert set(weights.values()) == {1.0}
    if unit == "sections":
        assert set(np.round(list(totals.values()), 9)) == {80}
    if unit == "groups":
        assert totals["A"] + totals["B"] == pytest.approx(totals["C"])
        assert weights["A"] == weights["B"]


def test_other_units_are_refused() -> None:
    with pytest.raises(InputError, match="spots, sections, groups or null, got 'patients'"):
        Batching(weight="patients")


@pytest.fixture(scope="module")
def fold(small_demo: Path, tmp_path_factory: pytest.TempPathFactory) -> Fold:
    """Sections of three sizes."""
    sections = Sections(HestReader(str(small_demo)))
    train, test = list(sections.keys)[:-1], list(sections.keys)[-1:]
    for number, section_id in enumerate(train):
        whole = sections[section_id]
        sections._keep(whole.keep(list(range(len(whole.adata) // (1 + number)))))
    recipe = Recipe(
        MeanColour(patch_um=(60.0,)),
        None,
        HighlyVariableGenes(12),
        LogNormalised(),
        ImageInputs(n_neighbours=4),
        EmbeddingStore(str(tmp_path_factory.mktemp("store"))),
        Batching(),
    )
    return prepare_fold(sections, Split(0, 1, train, [], test), recipe)


def weighted(fold: Fold, unit: str | None) -> Fold:
    batching = replace(fold.recipe.batching, weight=unit)
    return replace(fold, recipe=replace(fold.recipe, batching=batching)).of_training()


def predicted(fold: Fold, module: RidgeModule | StrictModule) -> torch.Tensor:
    module.fit(fold)
    (values,) = module.predict(fold.loader(fold.split.test, module.n_hops)).values()
    return values


def by_hand(fold: Fold, unit: str, alpha: float) -> Floats:
    """Ridge with a weight for each spot, its intercept fitted without a penalty."""
    ids = fold.split.train
    x = np.concatenate([rows(fold, i) for i in ids])
    y = np.concatenate([fold.sections[i].target.dense().double().numpy() for i in ids])
    sizes = {i: len(fold.graph(i)) for i in ids}
    weights = spot_weights(unit, sizes, {i: fold.group(i) for i in ids})
    w = np.concatenate([np.full(n, weights[i]) for i, n in sizes.items()])[:, None]
    mean_x, mean_y = (w * x).sum(0) / w.sum(), (w * y).sum(0) / w.sum()
    centred = x - mean_x
    gram = centred.T @ (w * centred) + alpha * np.eye(x.shape[1])
    weight = np.linalg.solve(gram, centred.T @ (w * (y - mean_y)))
    found: Floats = (rows(fold, fold.split.test[0]) - mean_x) @ weight + mean_y
    return found


def rows(fold: Fold, section_id: str) -> Floats:
    graph = fold.graph(section_id)
    found = graph.inputs["image_embedding"][torch.arange(len(graph))]
    return found.numpy().astype(np.float64)


@pytest.mark.parametrize("unit", UNITS)
def test_ridge_is_the_weighted_fit_by_hand(fold: Fold, unit: str) -> None:
    own = weighted(fold, unit)
    module = RidgeModule(own.widths()["d_image"], 12, [30.0])
    np.testing.assert_allclose(predicted(own, module), by_hand(own, unit, 30.0), atol=2e-5)


def test_sections_that_count_alike_change_the_fit(fold: Fold) -> None:
    """Of strict too; counting spots is what it does unasked, to the last digit."""
    d_image = fold.widths()["d_image"]
    found = {u: predicted(weighted(fold, u), StrictModule(d_image, 12)) for u in (None, *UNITS)}
    torch.testing.assert_close(found["spots"], found[None], atol=1e-6, rtol=0)
    assert (found["sections"] - found[None]).abs().max() > 1e-4


@pytest.mark.parametrize("most", [10_000, 40])
def test_the_blocks_of_a_section_share_its_weight(fold: Fold, most: int) -> None:
    """However it is cut; without a unit every block counts alike."""
    for unit in UNITS:
        own = weighted(fold, unit)
        shares = say(own, most)
        sizes = {i: len(own.graph(i)) for i in own.split.train}
        wanted = spot_weights(unit, sizes, {i: own.group(i) for i in sizes})
        n = sum(sizes.values())
        assert shares == pytest.approx({i: wanted[i] * sizes[i] / n for i in sizes})


def say(fold: Fold, most: int) -> dict[str, float]:
    """Share of each section in the loss of an epoch."""
    graphs = [fold.graph(i) for i in fold.split.train]
    loader = BlockLoader(graphs, most, 0, weights=fold.spot_weights())
    total = dict.fromkeys(fold.split.train, 0.0)
    for batch in loader:
        total[batch.section_id[0]] += float(batch.weight) / len(loader)
    return total
