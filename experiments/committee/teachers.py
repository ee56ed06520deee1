"""Teachers: what is systematic in the counts of the training sections, as targets for an image.

Each takes counts (n, g) of all spots, the counts of each spot over all genes (n,), and gives rates
(n, g), the expected counts, and latents (n, k). How long, or how many programmes, is chosen by
splitting each count in two at random: learn on one half, score the other.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse
from torch import Tensor, nn

from hespotex.genes.denoised import LEAST_RATE, MOST_COUNT, PROGRAMMES, Programmes, expected

Floats = NDArray[np.float64]
WIDEST = PROGRAMMES[-1]  # of the network
MOST_STEPS = 100
PATIENCE = 15
WIDTH = 128
TARGET_SUM = 1e4


@dataclass(frozen=True)
class Taught:
    """Expected counts (n, g), latents (n, k), and dispersion of each gene (g,); inf: Poisson."""

    rates: Floats
    latents: Floats
    theta: Floats


def halves(counts: Floats) -> tuple[Floats, Floats]:
    """Each count split in two at random."""
    one = np.random.default_rng(0).binomial(counts.astype(np.int64), 0.5)
    return one.astype(np.float64), counts - one


def poisson(counts: Floats, depth: Floats) -> Taught:
    """Poisson factorisation, as in the package."""
    table = sparse.csr_matrix(counts)
    programmes = Programmes.fit(table, PROGRAMMES, seed=0)
    weights = programmes.weights(table)
    rates = np.maximum(weights @ programmes.genes, LEAST_RATE)
    return Taught(rates, weights / depth[:, None], np.full(counts.shape[1], np.inf))


class Autoencoder(nn.Module):
    """Counts to k programmes to the rate of each gene; a level of its own for each section."""

    def __init__(self, n_genes: int, k: int, n_sections: int) -> None:
        super().__init__()
        self.encode = nn.Sequential(
            nn.Dropout(0.2), nn.Linear(n_genes, WIDTH), nn.ReLU(), nn.Linear(WIDTH, k)
        )
        self.decode = nn.Linear(k, n_genes)
        self.level = nn.Embedding(n_sections, n_genes)
        self.log_theta = nn.Parameter(torch.full((n_genes,), 2.0))
        nn.init.zeros_(self.level.weight)

    def forward(self, x: Tensor, depth: Tensor, section: Tensor) -> tuple[Tensor, Tensor]:
        """Rates (n, g) and latents (n, k)."""
        z = self.encode(x)
        return depth[:, None] * (self.decode(z) + self.level(section)).clamp(-20, 2).exp(), z


def nb_loss(counts: Tensor, rates: Tensor, log_theta: Tensor) -> Tensor:
    """Mean negative log likelihood of a negative binomial."""
    theta = log_theta.clamp(-3, 8).exp()
    total = (rates + theta).log()
    rest = torch.lgamma(counts + theta) - torch.lgamma(theta) - torch.lgamma(counts + 1)
    fit = theta * (theta.log() - total) + counts * ((rates + 1e-8).log() - total)
    return -(rest + fit).mean()


def network(counts: Floats, depth: Floats, section: NDArray[np.int64]) -> Taught:
    """A network with a negative binomial likelihood over all sections; the number of steps
    is chosen on the other halves of the counts.
    """
    one, other = halves(counts)
    steps = trained(one, depth / 2, section, WIDEST, MOST_STEPS, other)[2]
    model, _, _ = trained(counts, depth, section, WIDEST, steps, None)
    with torch.no_grad():
        rates, z = model.eval()(*inputs(counts, depth, section))
    theta = model.log_theta.detach().clamp(-3, 8).exp().double().numpy()
    return Taught(rates.double().numpy(), z.double().numpy(), theta)


def inputs(counts: Floats, depth: Floats, section: NDArray[np.int64]) -> tuple[Tensor, ...]:
    """What the network is given."""
    x = np.log1p(TARGET_SUM * counts / depth[:, None]).astype(np.float32)
    return (
        torch.from_numpy(x),
        torch.from_numpy(depth.astype(np.float32)),
        torch.from_numpy(section),
    )


def trained(
    counts: Floats,
    depth: Floats,
    section: NDArray[np.int64],
    k: int,
    steps: int,
    other: Floats | None,
) -> tuple[Autoencoder, float, int]:
    """The network, its best loss on the other half, and the step of that."""
    torch.manual_seed(0)
    given = inputs(counts, depth, section)
    known = torch.from_numpy(counts.astype(np.float32))
    unseen = None if other is None else torch.from_numpy(other.astype(np.float32))
    model = Autoencoder(counts.shape[1], k, int(section.max()) + 1)
    share = np.log(np.maximum(counts.sum(0), 0.5) / depth.sum())
    model.decode.bias.data = torch.from_numpy(share.astype(np.float32))
    optimizer = torch.optim.AdamW(model.parameters(), 1e-2, weight_decay=1e-2)
    best, at = np.inf, 0
    for step in range(1, steps + 1):
        optimizer.zero_grad()
        nb_loss(known, model.train()(*given)[0], model.log_theta).backward()
        optimizer.step()
        if unseen is not None and step % 5 == 0:
            with torch.no_grad():
                loss = float(nb_loss(unseen, model.eval()(*given)[0], model.log_theta))
            best, at = min((best, at), (loss, step))
            if step - at >= PATIENCE:
                break
    return model, best, at


def denoised(taught: Taught, depth: Floats) -> Floats:
    """The mean of log1p of the scaled counts that are drawn from the rates: what is measured, less
    its noise, with all that depth does to it. Added up to `MOST_COUNT`; beyond a curve's second
    order is enough.
    """
    if np.isinf(taught.theta).all():
        return expected(taught.rates, TARGET_SUM / depth)
    mu = taught.rates
    scale = (TARGET_SUM / depth)[:, None]
    success = mu / (mu + taught.theta)
    chance = (1 - success) ** taught.theta
    variance = mu + mu**2 / taught.theta
    mean = np.zeros_like(mu)
    for count in range(MOST_COUNT):
        mean += chance * np.log1p(scale * count)
        chance *= (count + taught.theta) * success / (count + 1)
    curve = np.log1p(scale * mu) - variance * (scale / (1 + scale * mu)) ** 2 / 2
    return np.where(mu + 6 * np.sqrt(variance) < MOST_COUNT, mean, curve)


def of_latents(target: Floats, latents: Floats, section: NDArray[np.int64]) -> Floats:
    """What a line in the latents says of the target; both centred within each section."""
    y, z = target.copy(), latents.copy()
    for number in np.unique(section):
        own = section == number
        y[own] -= y[own].mean(0)
        z[own] -= z[own].mean(0)
    return np.asarray(z @ np.linalg.lstsq(z, y, rcond=None)[0])


Teacher = Callable[[Floats, Floats, NDArray[np.int64]], Taught]
TEACHERS: dict[str, Teacher] = {
    "Poisson factorisation": lambda counts, depth, _: poisson(counts, depth),
    "network, negative binomial": network,
}
