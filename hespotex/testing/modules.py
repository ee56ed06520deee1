"""What a predictor must do."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from hespotex.batches.assemble import ImageInputs
from hespotex.batches.fold import Fold, Recipe
from hespotex.batches.loader import Batching
from hespotex.batches.prepare import prepare_fold
from hespotex.demo import make_demo
from hespotex.embeddings.store import EmbeddingStore
from hespotex.encoders.random_vit import RandomViTEncoder
from hespotex.genes.expression import LogNormalised
from hespotex.genes.panel import HighlyVariableGenes
from hespotex.modules.base import ExpressionModule
from hespotex.sections.readers.hest.folder import HestReader
from hespotex.sections.sections import Sections
from hespotex.splits.strategies import LeaveOneGroupOut
from hespotex.testing.expect import expect

N_GENES = 12


def tiny_fold(folder: Path) -> Fold:
    """Three small synthetic sections, one of them the test section; made below `folder`."""
    root = make_demo(folder / "demo", n_patients=3, sections_per_patient=1, spots_per_side=6)
    sections = Sections(HestReader(str(root)))
    split = LeaveOneGroupOut(validation=0.0).split(list(sections.keys.values()))
    recipe = Recipe(
        encoder=RandomViTEncoder(name="random_vit", patch_um=[112.0], patch_px=32),
        nuclei=None,
        panel=HighlyVariableGenes(n_top=N_GENES),
        expression=LogNormalised(),
        inputs=ImageInputs(n_neighbours=4),
        store=EmbeddingStore(str(folder / "store")),
        batching=Batching(),
    )
    return prepare_fold(sections, split, recipe)


def check_module(make: Callable[..., ExpressionModule], fold: Fold) -> None:
    """Fit it on a fold, without epochs, and predict the test section.

    Args:
        make: called with `d_image` and `n_genes`.
        fold: such as `tiny_fold`.

    Raises:
        AssertionError: a prediction of another shape or with NaN, one that changes after saving and
          loading, or a fit that looks at the test section.
    """
    module = _fitted(make, fold)
    predicted = _predicted(module, fold)
    (test,) = fold.split.test
    shape = (len(fold.sections[test].section.adata), len(fold.panel.genes))
    predicted_shape = tuple(predicted.shape)
    expect(
        predicted_shape == shape, f"expected a prediction of shape {shape}, found {predicted_shape}"
    )
    expect(bool(predicted.isfinite().all()), "a prediction is NaN or infinite")
    loaded = make(**fold.widths())
    loaded.load_state_dict(module.state_dict())
    same = torch.equal(_predicted(loaded.eval(), fold), predicted)
    expect(same, "another prediction after saving and loading: keep what is fitted in buffers")
    trained = {i: section for i, section in fold.sections.items() if i not in fold.split.test}
    blind = _fitted(make, replace(fold, sections=trained))
    same = torch.equal(_predicted(blind, fold), predicted)
    expect(same, "another prediction where the test section is not there during the fit")


def _fitted(make: Callable[..., ExpressionModule], fold: Fold) -> ExpressionModule:
    torch.manual_seed(0)
    module = make(**fold.widths())
    module.fit(fold)
    return module.eval()


def _predicted(module: ExpressionModule, fold: Fold) -> Tensor:
    (test,) = fold.split.test
    return module.predict(fold.loader([test], module.n_hops))[test]
