"""The strict module: its committee finds what is planted, with parts of every kind."""

import pytest
import torch

from hespotex.data.loader import BlockLoader
from hespotex.metrics import gene_pearson
from hespotex.modules.strict import StrictModule
from hespotex.nn.committee import Source

from .test_blocks import TEST, TRAIN, D, G

SOURCES = [Source("first", (5, 4)), Source("second", (3,))]
GROUPS = {
    "patients": {"A": "P1", "B": "P2"},
    "sections of one patient": {"A": "P1", "B": "P1"},
}


def strict() -> StrictModule:
    module = StrictModule(D, G).eval()
    values = torch.cat([graph.whole().target.dense() for graph in TRAIN])
    module.set_scaling(values.mean(0), values.std(0), -torch.inf)
    return module


@pytest.mark.parametrize("kind", GROUPS)
def test_it_predicts_a_section_that_it_has_not_seen(kind: str) -> None:
    module = strict()
    fitted = module.fit_committee(BlockLoader(TRAIN, 80, 2), SOURCES, GROUPS[kind])
    assert sum(member.share for member in fitted.members) == pytest.approx(1)
    (predicted,) = module.predict(BlockLoader(TEST, 80, 2)).values()
    measured = TEST[0].whole().target.dense()
    assert gene_pearson(predicted, measured).mean() > 0.4
    assert (predicted.mean(0) - measured.mean(0)).abs().max() < 0.3


def test_one_section_is_left_out_by_quarters() -> None:
    module = strict()
    fitted = module.fit_committee(BlockLoader(TRAIN[:1], 80, 2), SOURCES, {"A": "P1"})
    assert fitted.score > 0.2
    (predicted,) = module.predict(BlockLoader(TEST)).values()
    assert gene_pearson(predicted, TEST[0].whole().target.dense()).mean() > 0.3
