"""How far a perfect prediction could correlate with a section's counts, gene by gene."""

import logging
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from torch import Tensor

from hespotex.genes.expression import Expression
from hespotex.genes.panel import GenePanel
from hespotex.metrics.thinning import are_counts, thinning_ceiling
from hespotex.sections.section import Section

log = logging.getLogger(__name__)
REPEATS = 5
ENOUGH_SPOTS = 10_000  # in all repeats: a correlation over so many is known to .01
BLOCK = 250  # genes at a time
SEED = 0


def noise_ceiling(
    section: Section, panel: GenePanel, expression: Expression
) -> NDArray[np.float64]:
    """Of each gene of the panel, (n_genes,); see `hespotex.metrics.thinning`.

    Of a large section some spots are taken, and fewer repeats. NaN for genes without counts, and
    for all where the section's numbers are no counts.
    """
    few = section.keep(_some(len(section.adata)).tolist())
    counts = sparse.csr_matrix(few.adata.X)
    if not are_counts(counts):
        log.warning("%s: no noise ceiling, as its values are no counts", section.section_id)
        return np.full(len(panel.genes), np.nan)
    repeats = max(1, min(REPEATS, ENOUGH_SPOTS // counts.shape[0]))

    def values(half: sparse.csr_matrix) -> Iterator[Tensor]:
        table = few.adata.copy()
        table.X = half.astype(np.float32)
        target = expression(few.with_adata(table), panel)
        for start in range(0, target.n_genes, BLOCK):
            yield target.genes(start, min(start + BLOCK, target.n_genes))

    return thinning_ceiling(counts, values, repeats, SEED).numpy()


def _some(n_spots: int) -> NDArray[np.int64]:
    """At most `ENOUGH_SPOTS`, drawn at random."""
    drawn = np.random.default_rng(SEED).permutation(n_spots)[:ENOUGH_SPOTS]
    return np.sort(drawn)
