"""Counts to the expression that is learned and scored."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from hespotex.data.genes import GenePanel
from hespotex.data.section import Section


@dataclass(frozen=True)
class LogNormalised:
    """log1p of counts scaled to one library size: e = log(1 + target_sum * counts / library).

    Args:
        target_sum: library size after scaling.
        library: "all" divides by the spot's counts over all genes; "panel" over the chosen genes only, as
            released: what a spot loses there depends on the choice of genes.
    """

    target_sum: float = 1e4
    library: str = "all"

    def __call__(self, section: Section, panel: GenePanel) -> NDArray[np.float32]:
        """Expression (n_spots, n_genes) in panel order; NaN where the section did not measure a gene."""
        measured = section.adata.var_names.get_indexer(panel.genes)
        known = measured >= 0
        all_counts = sparse.csr_matrix(section.adata.X)
        counts = all_counts[:, measured[known]]
        library = np.asarray((all_counts if self.library == "all" else counts).sum(axis=1)).ravel()
        scaled = counts.toarray() * (self.target_sum / np.maximum(library, 1))[:, None]
        expression = np.full((counts.shape[0], len(panel.genes)), np.nan, dtype=np.float32)
        expression[:, known] = np.log1p(scaled)
        return expression
