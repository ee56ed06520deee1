"""A section in blocks gives what it gives as a whole: every model's output to 1e-5, its fit, and
its teacher.
"""

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
import torch

from hespotex.batches.assemble import standardize
from hespotex.batches.loader import BlockLoader
from hespotex.batches.spot_graph import SpotGraph
from hespotex.genes.target import Rows
from hespotex.modules.base import ExpressionModule
from hespotex.modules.closed_form import GeneMeanModule
from hespotex.modules.dual_stream import DualStreamModule
from hespotex.modules.published import PublishedModule
from hespotex.modules.retrieval import RetrievalModule
from hespotex.modules.ridge import CoordinatesModule, HestRidgeModule, NucleiModule, RidgeModule
from hespotex.modules.strict import StrictModule
from hespotex.modules.teacher import ExpressionAutoencoderModule
from hespotex.nn.committee import Source
from hespotex.sections.graph import knn_edges, undirected_with_loops

from .tables import Table

D = 12
G = 9
ADAM = partial(torch.optim.Adam, lr=1e-3)
Make = Callable[[], ExpressionModule]
MODELS: dict[str, Make] = {
    "strict": lambda: StrictModule(D, G),
    "dual stream": lambda: DualStreamModule(D, G, ADAM),
    "dual stream, nuclei as covariate": lambda: DualStreamModule(
        D, G, ADAM, nuclei="covariate", n_layers=1
    ),
    "dual stream, nuclei as factor": lambda: DualStreamModule(
        D, G, ADAM, nuclei="factor", n_layers=3
    ),
    "dual stream, nothing but the spot": lambda: DualStreamModule(D, G, ADAM, n_layers=0),
    "published": lambda: PublishedModule(D, G, ADAM),
    "ridge": lambda: RidgeModule(D, G, [10.0, 100.0]),
    "ridge on neighbours": lambda: RidgeModule(D, G, [10.0, 100.0], neighbours=True),
    "coordinates": lambda: CoordinatesModule(D, G, [10.0]),
    "nuclei": lambda: NucleiModule(D, G, [10.0]),
    "ridge of HEST": lambda: HestRidgeModule(D, G, n_components=5),
    "retrieval": lambda: RetrievalModule(D, G, k=5),
    "gene mean": lambda: GeneMeanModule(D, G),
}


def section(name: str, n: int, seed: int) -> SpotGraph:
    rng = np.random.default_rng(seed)
    pos = rng.uniform(0, 100 * n**0.5, (n, 2))
    nuclei = rng.poisson(9, (n, 1)).astype(np.float32)
    arrays: dict[str, np.ndarray] = {
        "image_embedding": rng.normal(size=(n, D)),
        "nuclei": nuclei,
        "nuclei_log": standardize(np.log1p(nuclei)),
        "nuclei_most": np.full_like(nuclei, nuclei.max()),
        "place": standardize(pos),
    }
    inputs: dict[str, Rows] = {
        key: torch.from_numpy(value.astype(np.float32)) for key, value in arrays.items()
    }
    expression = np.abs(rng.normal(size=(n, G)) + arrays["image_embedding"][:, :G])
    return SpotGraph(
        name, pos, knn_edges(pos, 6), inputs, Table(torch.from_numpy(expression.astype(np.float32)))
    )


TRAIN = [section("A", 300, 1), section("B", 170, 2)]
VAL = [section("C", 200, 3)]
TEST = [section("D", 400, 4)]


def fitted(make: Make, block_spots: int) -> ExpressionModule:
    torch.manual_seed(0)
    module = make().eval()
    values = torch.cat([graph.whole().target.dense() for graph in TRAIN])
    module.set_scaling(values.mean(0), values.std(0), -torch.inf)
    loaders = (
        BlockLoader(graphs, block_spots, module.n_hops, batch_blocks=2) for graphs in (TRAIN, VAL)
    )
    with torch.no_grad():
        module.fit_closed_form(*loaders)
    if isinstance(module, StrictModule):
        train = BlockLoader(TRAIN, block_spots, module.n_hops, batch_blocks=2)
        module.fit_committee(train, [Source("drawn", (5, 7))], {"A": "P1", "B": "P2"})
    return module


@pytest.mark.parametrize("block_spots", [37, 150])
@pytest.mark.parametrize("name", MODELS)
def test_prediction_in_blocks_is_that_of_the_whole(name: str, block_spots: int) -> None:
    module = fitted(MODELS[name], 10**6)
    (whole,) = module.predict(BlockLoader(TEST)).values()
    for batch_blocks in (1, 3):
        (parts,) = module.predict(
            BlockLoader(TEST, block_spots, module.n_hops, batch_blocks)
        ).values()
        torch.testing.assert_close(parts, whole, rtol=0, atol=1e-5)
    assert name == "gene mean" or whole.std(0).max() > 1e-3


@pytest.mark.parametrize("name", ["strict", "dual stream", "published", "ridge on neighbours"])
def test_a_halo_one_step_short_is_seen(name: str) -> None:
    """The test above can fail: without the last ring the border spots change."""
    module = fitted(MODELS[name], 10**6)
    (whole,) = module.predict(BlockLoader(TEST)).values()
    (parts,) = module.predict(BlockLoader(TEST, 37, module.n_hops - 1)).values()
    assert (parts - whole).abs().max() > 1e-3


@pytest.mark.parametrize(
    "name",
    [
        "strict",
        "ridge",
        "ridge on neighbours",
        "nuclei",
        "ridge of HEST",
    ],
)
def test_a_fit_in_blocks_is_that_of_the_whole(name: str) -> None:
    whole = fitted(MODELS[name], 10**6)
    blocks = fitted(MODELS[name], 60)
    for key, value in whole.state_dict().items():
        torch.testing.assert_close(blocks.state_dict()[key], value, rtol=1e-4, atol=1e-5)


def test_validation_in_blocks_is_that_of_the_whole() -> None:
    module = fitted(MODELS["dual stream"], 10**6)
    scores = []
    for block_spots in (10**6, 50):
        with torch.no_grad():
            for number, batch in enumerate(
                BlockLoader(VAL, block_spots, module.n_hops, batch_blocks=2)
            ):
                module.validation_step(batch, number)
        scores.append(module.scores.compute()["pcc_gene"].item())
        module.scores.reset()
    assert scores[0] == pytest.approx(scores[1], abs=1e-5)
    assert abs(scores[0]) > 1e-3


def test_the_teacher_in_blocks_is_that_of_the_whole() -> None:
    torch.manual_seed(0)
    module = ExpressionAutoencoderModule(G, ADAM, 16, 5)
    graph = TEST[0]
    edges = undirected_with_loops(knn_edges(graph.pos, 8), len(graph))
    own = SpotGraph("D", graph.pos, edges, {"expression": Table(graph.whole().target.dense())})
    (whole,) = module.latents(BlockLoader([own])).values()
    (parts,) = module.latents(BlockLoader([own], 60, 2)).values()
    torch.testing.assert_close(parts, whole, rtol=0, atol=1e-5)
    full = own.whole()
    expected = module.autoencoder(full.expression, full.edge_index)[1]
    for batch in BlockLoader([own], 60, 2):
        found = module.autoencoder(batch.expression, batch.edge_index)[1][batch.inner]
        torch.testing.assert_close(found, expected[batch.spot], rtol=0, atol=1e-5)
