"""What the dual-stream module learns, and words that it refuses."""

from functools import partial

import pytest
import torch
from torch_geometric.data import Batch

from hespotex.common.errors import InputError
from hespotex.metrics import gene_pearson
from hespotex.modules.dual_stream import DualStreamModule

from .test_blocks import TRAIN, D, G, fitted

ADAM = partial(torch.optim.Adam, lr=3e-3)


@pytest.mark.parametrize("nuclei", ["none", "covariate", "factor"])
def test_the_loss_falls_and_the_network_predicts(nuclei: str) -> None:
    """It leads from the image to the genes, in the units of the target."""
    make = partial(DualStreamModule, D, G, ADAM, latent_weight=0.0, dropout=0.0, nuclei=nuclei)
    module = fitted(make, 10**6)
    batch = Batch.from_data_list([graph.whole() for graph in TRAIN])
    batch.weight = torch.tensor([0.5, 0.5])
    module.log = lambda *_, **__: None  # type: ignore[method-assign, assignment]
    optimizer = ADAM(module.parameters())
    losses = []
    for _ in range(150):
        loss = module.training_step(batch, 0)  # type: ignore[operator]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.75 * losses[0]
    with torch.no_grad():
        predicted = module.expression(batch)
        measured = torch.cat([target.dense() for target in batch.target])
    assert gene_pearson(predicted, measured).mean() > 0.5
    assert (predicted.mean(0) - measured.mean(0)).abs().max() < 0.5


def test_alignment_without_a_teacher_is_refused() -> None:
    module = fitted(partial(DualStreamModule, D, G, ADAM, latent_weight=0.1), 10**6)
    batch = Batch.from_data_list([TRAIN[0].whole()])
    batch.weight = torch.ones(1)
    with pytest.raises(
        InputError, match=r"latent_weight wants a teacher: add model.teacher.fit=joint"
    ):
        module.training_step(batch, 0)  # type: ignore[operator]


def test_words_that_are_refused() -> None:
    with pytest.raises(
        InputError, match=r"model.module.nuclei: expected covariate, factor or none, got 'some'"
    ):
        DualStreamModule(D, G, ADAM, nuclei="some")
