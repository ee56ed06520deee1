"""Genes with known drivers, their log-rates per spot, and counts drawn from them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from hespotex.demo import drivers
from hespotex.demo.layout import Doubles, Layout
from hespotex.demo.nuclei import Nuclei
from hespotex.demo.streams import stream

DRIVERS = {"morphology": ("M", 80, 3), "region": ("R", 60, 4), "neighbourhood": ("N", 60, 4)}
N_NONE = 100
N_EXTRA = 3  # genes that only some sections measure
DEPTH = 3400.0  # mean counts per spot
EFFECTS = (0.25, 1.1)  # range, natural-log units per standard deviation of the driver
# A region's score is nearly binary, so it needs more to show equally well in the counts.
BOOST = {"morphology": 1.0, "region": 1.35, "neighbourhood": 1.1, "none": 0.0}


@dataclass(frozen=True)
class Genes:
    """The planted truth, one entry per gene; `weights` (n_genes, 11) on all features.

    The features are morphology (3), region (4) and neighbourhood (4), in this order.
    `base` (n_genes,) is the share of the counts at a score of zero, `noise` the
    overdispersion: variance of the gamma factor.
    """

    names: list[str]
    driver: list[str]
    effect: Doubles
    weights: Doubles
    base: Doubles
    noise: Doubles


def _driver_weights(rng: np.random.Generator, n_genes: int, n_features: int) -> Doubles:
    weights = rng.standard_normal((n_genes, n_features))
    # One feature leads in each gene, the others modulate: as marker genes do.
    weights[np.arange(n_genes), rng.integers(0, n_features, n_genes)] *= 3.0
    return np.asarray(weights / np.linalg.norm(weights, axis=1, keepdims=True))


def plan_genes(seed: int) -> Genes:
    """Draw the genes shared by all patients: names, drivers, effects, weights and base rates."""
    rng = stream(seed, "genes")
    names: list[str] = []
    driver: list[str] = []
    blocks: list[Doubles] = []
    first = 0
    for kind, (letter, n_genes, n_features) in DRIVERS.items():
        block = np.zeros((n_genes, 11))
        block[:, first : first + n_features] = _driver_weights(rng, n_genes, n_features)
        names += [f"DEMO-{letter}{k + 1:03d}" for k in range(n_genes)]
        driver += [kind] * n_genes
        blocks.append(block)
        first += n_features
    names += [f"DEMO-{k + 1:04d}" for k in range(N_NONE)]
    names += [f"DEMO-X{k + 1:03d}" for k in range(N_EXTRA)]
    driver += ["none"] * (N_NONE + N_EXTRA)
    blocks.append(np.zeros((N_NONE + N_EXTRA, 11)))
    effect = rng.uniform(*EFFECTS, len(names)) * np.array([BOOST[kind] for kind in driver])
    base = rng.lognormal(0.0, 0.7, len(names))
    noise = rng.uniform(0.05, 0.25, len(names))
    return Genes(names, driver, effect, np.concatenate(blocks), base / base.sum(), noise)


def log_rates(genes: Genes, layout: Layout, nuclei: Nuclei) -> Doubles:
    """Return the true natural-log rate (n_spots, n_genes), per 10,000 counts of an average spot."""
    scores = np.concatenate(
        [
            drivers.morphology(layout, nuclei),
            drivers.region(layout),
            drivers.neighbourhood(layout, nuclei),
        ],
        axis=1,
    )
    score = np.clip(scores @ genes.weights.T, -2.5, 2.5)
    return np.asarray(np.log(1e4 * genes.base) + genes.effect * score)


def draw_counts(seed: int, section: int, log_rate: Doubles, noise: Doubles) -> csr_matrix:
    """Draw counts (n_spots, n_genes) float32 CSR: gamma-Poisson with depth, batch and dropout."""
    rng = stream(seed, "counts", section)
    batch = stream(seed, "batch", section)
    depth = DEPTH * batch.uniform(0.7, 1.4) * rng.lognormal(-0.045, 0.3, (len(log_rate), 1))
    rate = np.exp(log_rate + batch.normal(0, 0.15, log_rate.shape[1])) / 1e4 * depth
    counts = rng.poisson(rate * rng.gamma(1 / noise, noise, rate.shape))
    # Weak signals are lost more often than strong ones.
    lost = rng.random(rate.shape) < batch.uniform(0.1, 0.4) * np.exp(-rate / 8)
    return csr_matrix(np.where(lost, 0, counts).astype(np.float32))


def measured(genes: Genes, section: int) -> NDArray[np.int64]:
    """Return the indices of the genes a section measures; the extra ones only now and then."""
    first = len(genes.names) - N_EXTRA
    extra = [first + k for k in range(N_EXTRA) if (section + k) % (k + 2) == 0]
    return np.array([*range(first), *extra], dtype=np.int64)
