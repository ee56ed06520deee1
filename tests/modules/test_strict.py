"""The strict module: its committee finds what is planted, with parts of every kind."""

import pytest
import torch

from hespotex.batches.loader import BlockLoader
from hespotex.batches.spot_graph import SpotGraph
from hespotex.metrics import gene_pearson
from hespotex.modules.strict import StrictModule
from hespotex.nn.committee import Source

from .tables import Table
from .test_blocks import D, G, section

SOURCES = [Source("first", (5, 4)), Source("second", (3,))]
GROUPS = {
    "patients": {"A": "P1", "B": "P2"},
    "sections of one patient": {"A": "P1", "B": "P1"},
    "one section": {"A": "P1"},
}


def planted(name: str, n: int, seed: int) -> SpotGraph:
    """Two programmes of the image that all genes share, and noise of each gene's own."""
    graph = section(name, n, seed)
    image = graph.inputs["image_embedding"][torch.arange(n)]
    own = torch.Generator().manual_seed(seed)
    shared = torch.Generator().manual_seed(0)
    weights = torch.randn(D, 2, generator=shared) @ torch.randn(2, G, generator=shared) / D**0.5
    graph.target = Table(3 + image @ weights + torch.randn(n, G, generator=own))
    return graph


TRAIN = [planted("A", 300, 1), planted("B", 170, 2)]
TEST = planted("D", 400, 4)


def strict() -> StrictModule:
    module = StrictModule(D, G).eval()
    values = torch.cat([graph.whole().target.dense() for graph in TRAIN])
    module.set_scaling(values.mean(0), values.std(0), -torch.inf)
    return module


@pytest.mark.parametrize("kind", GROUPS)
def test_it_predicts_a_section_that_it_has_not_seen(kind: str) -> None:
    module = strict()
    groups = GROUPS[kind]
    train = [graph for graph in TRAIN if graph.section_id in groups]
    fitted = module.fit_committee(BlockLoader(train, 80, 2), SOURCES, groups)
    assert sum(member.share for member in fitted.members) == pytest.approx(1)
    assert fitted.score > 0.3
    (predicted,) = module.predict(BlockLoader([TEST], 80, 2)).values()
    measured = TEST.whole().target.dense()
    assert gene_pearson(predicted, measured).mean() > 0.4
    assert (predicted.mean(0) - measured.mean(0)).abs().max() < 0.4
