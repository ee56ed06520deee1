"""What every network on the spot graph must keep: the order of spots and the batch change nothing,
and it can learn.
"""

from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch_geometric.data import Batch, Data

from hespotex.nn.autoencoder import ExpressionAutoencoder
from hespotex.nn.dual_stream import DualStreamDecoder
from hespotex.nn.published import PublishedDecoder, published_nuclei_factor
from hespotex.sections.graph import knn_edges, undirected_with_loops

D_IMAGE = 10
N_GENES = 7
Forward = Callable[[Data], tuple[Tensor, ...]]


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Test workers share the cores, and these networks are small."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def graph(n: int, seed: int, loops: bool = False) -> Data:
    """Random spots with image, expression and edges."""
    generator = torch.Generator().manual_seed(seed)
    edges = knn_edges(np.random.default_rng(seed).uniform(0, 1000, (n, 2)), 4)
    return Data(
        image_embedding=torch.randn(n, D_IMAGE, generator=generator),
        expression=torch.rand(n, N_GENES, generator=generator),
        nuclei=1 + torch.rand(n, 1, generator=generator),
        edge_index=torch.from_numpy(undirected_with_loops(edges, n) if loops else edges),
        num_nodes=n,
    )


def forward_of(kind: str) -> Forward:
    torch.manual_seed(0)
    if kind == "autoencoder":
        autoencoder = ExpressionAutoencoder(N_GENES, 16, 5).eval()
        return lambda data: autoencoder(data.expression, data.edge_index)
    if kind == "published":
        published = PublishedDecoder(D_IMAGE, N_GENES, 8).eval()
        return lambda data: published(data.image_embedding, data.edge_index, data.nuclei)
    strict = DualStreamDecoder(D_IMAGE, N_GENES, 16, 8, n_layers=int(kind[-1])).eval()
    return lambda data: standardised(strict, data)


def standardised(decoder: DualStreamDecoder, data: Data) -> tuple[Tensor, Tensor]:
    """Expression and latent."""
    found = decoder(data.image_embedding, data.edge_index)
    weight, bias = decoder.gene_weights()
    return found.features @ weight.T + bias, found.latent


KINDS = ["autoencoder", "published", "strict 0", "strict 2"]


def permuted(data: Data, order: Tensor) -> Data:
    """The same section with its spots in another order, and its edges too."""
    place = torch.empty_like(order)
    place[order] = torch.arange(len(order))
    edges = place[data.edge_index]
    edges = edges[:, torch.randperm(edges.shape[1], generator=torch.Generator().manual_seed(2))]
    names = ("image_embedding", "expression", "nuclei")
    return Data(
        **{name: data[name][order] for name in names}, edge_index=edges, num_nodes=len(order)
    )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(3))
def test_permutation_equivariance(kind: str, seed: int) -> None:
    forward = forward_of(kind)
    data = graph(25, seed, loops=kind == "autoencoder")
    order = torch.randperm(25, generator=torch.Generator().manual_seed(seed))
    for before, after in zip(forward(data), forward(permuted(data, order)), strict=True):
        torch.testing.assert_close(after, before[order], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_batch_invariance(kind: str) -> None:
    forward = forward_of(kind)
    sections = [graph(n, n, loops=kind == "autoencoder") for n in (9, 25, 1)]
    together = forward(Batch.from_data_list(sections))
    for i, data in enumerate(sections):
        rows = slice(
            sum(s.num_nodes for s in sections[:i]), sum(s.num_nodes for s in sections[: i + 1])
        )
        for alone, batched in zip(forward(data), together, strict=True):
            torch.testing.assert_close(batched[rows], alone, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS[1:])
def test_reach_is_the_number_of_layers(kind: str) -> None:
    """Spots in a row, each knowing the last: a change travels as far as there are layers, and no
    further.
    """
    data = graph(8, 0)
    data.edge_index = torch.stack([torch.arange(7), torch.arange(1, 8)])
    forward = forward_of(kind)
    before = forward(data)[0]
    data.image_embedding[2] += 1
    changed = (forward(data)[0] - before).abs().sum(1) > 1e-6
    reach = {"published": 1, "strict 0": 0, "strict 2": 2}[kind]
    assert changed.tolist() == [2 <= i <= 2 + reach for i in range(8)]


def test_strict_decoder_must_overfit_a_tiny_set() -> None:
    torch.manual_seed(0)
    data = graph(20, 0)
    target = (data.expression - data.expression.mean(0)) / data.expression.std(0)
    model = DualStreamDecoder(D_IMAGE, N_GENES, 64, 32, dropout=0.0)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    for _ in range(300):
        loss = nn.functional.mse_loss(standardised(model, data)[0], target)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    assert loss.item() < 0.01


def test_autoencoder_must_learn_a_tiny_set() -> None:
    torch.manual_seed(0)
    data = graph(20, 0, loops=True)
    model = ExpressionAutoencoder(N_GENES, 32, 16)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    losses = []
    for _ in range(200):
        loss = nn.functional.mse_loss(model(data.expression, data.edge_index)[1], data.expression)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] / 4


def test_strict_decoder_grows_linearly_with_the_genes() -> None:
    def size(n_genes: int) -> int:
        return sum(p.numel() for p in DualStreamDecoder(D_IMAGE, n_genes).parameters())

    assert size(2000) - size(1000) == size(1000) - size(0) == 1000 * 2 * (64 + 1)


def test_dropout_only_while_training() -> None:
    data = graph(12, 0)
    model = DualStreamDecoder(D_IMAGE, N_GENES)
    assert not torch.equal(
        model(data.image_embedding, data.edge_index)[0],
        model(data.image_embedding, data.edge_index)[0],
    )
    model.eval()
    assert torch.equal(
        model(data.image_embedding, data.edge_index)[0],
        model(data.image_embedding, data.edge_index)[0],
    )


@pytest.mark.parametrize("n_labels", [[0, 1, 10, 20, 50], [3, 3]])
def test_published_nuclei_factor(n_labels: list[int]) -> None:
    clipped = np.clip(n_labels, 1, 20)
    counts = torch.tensor(n_labels)
    np.testing.assert_allclose(
        published_nuclei_factor(counts, counts.max()), 1 + clipped / clipped.max()
    )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [torch.bfloat16])
def test_mixed_precision(kind: str, dtype: torch.dtype) -> None:
    """`trainer=gpu` runs in bf16-mixed: forward and backward have to work, and to stay near full
    precision.
    """
    forward = forward_of(kind)
    data = graph(25, 0, loops=kind == "autoencoder")
    exact = forward(data)[0]
    with torch.autocast("cpu", dtype=dtype):
        mixed = forward(data)[0]
        mixed.float().square().mean().backward()  # type: ignore[no-untyped-call]
    assert (mixed.float() - exact).abs().mean() < 0.1 * exact.abs().mean() + 0.02
