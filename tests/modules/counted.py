"""Sections in memory whose counts follow their images in three programmes."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse

from hespotex.batches.fold import Fold, PreparedSection
from hespotex.batches.loader import Batching
from hespotex.batches.spot_graph import SpotGraph
from hespotex.genes.expression import LogRaw
from hespotex.genes.panel import GenePanel
from hespotex.genes.target import Target
from hespotex.metrics import gene_pearson
from hespotex.modules.base import ExpressionModule
from hespotex.sections.graph import knn_edges
from hespotex.sections.section import SectionKey
from hespotex.splits.split import Split

D = 6
G = 40
N = 150  # spots
TRAIN = ["A", "B", "C"]
PATIENTS = {"A": "P1", "B": "P2", "C": "P3", "T": "P4"}


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


def score(module: ExpressionModule, fold: Fold) -> float:
    """Mean gene-wise Pearson on T."""
    predicted = module.predict(fold.loader(["T"], module.n_hops))["T"]
    return float(gene_pearson(predicted, fold.sections["T"].target.dense()).nanmean())
