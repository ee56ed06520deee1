"""Counts to the expression that is learned and scored."""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from hespotex.common.errors import InputError
from hespotex.common.numerics.csr import scaled_rows
from hespotex.genes.panel import GenePanel
from hespotex.genes.residuals import THETA
from hespotex.genes.target import ResidualTarget, Target
from hespotex.genes.units import LOG_COUNTS, RESIDUAL, log_unit
from hespotex.sections.section import Section, library_size


class Expression(Protocol):
    """A target.

    `unit`: what its numbers are, for axes. `lowest`: no value is below it. `fitted_on`: the
    sections that `fit` took something from.
    """

    unit: str
    lowest: float
    fitted_on: list[str]

    def fit(self, sections: Sequence[Section], panel: GenePanel) -> None:
        """Take from the training sections what the target must know of them."""
        ...

    def __call__(self, section: Section, panel: GenePanel) -> Target:
        """Expression (n_spots, n_genes) in panel order; NaN where the section did not measure a
        gene.
        """
        ...

    def state(self) -> dict[str, Any]:
        """What was fitted, as plain values that travel in the checkpoint; empty where nothing
        is.
        """
        ...

    def restore(self, state: dict[str, Any], fitted_on: list[str]) -> None:
        """Take over what another run has fitted."""
        ...


class LogRaw:
    """log1p of the raw counts, as HEST-Benchmark has it: depth and cellularity are part of the
    target.
    """

    unit = LOG_COUNTS
    lowest = 0.0

    def __init__(self) -> None:
        self.fitted_on: list[str] = []

    def fit(self, sections: Sequence[Section], panel: GenePanel) -> None:
        """Nothing is fitted: each spot speaks for itself."""

    def state(self) -> dict[str, Any]:
        """Empty: nothing was fitted."""
        return {}

    def restore(self, state: dict[str, Any], fitted_on: list[str]) -> None:
        """There is nothing to take over."""

    def __call__(self, section: Section, panel: GenePanel) -> Target:
        """log(1 + counts), natural logarithm; spots are not scaled to one depth."""
        counts, measured = panel_counts(section, panel)
        return Target(counts.log1p(), measured, np.ones(counts.shape[0]))


class LogNormalised(LogRaw):
    """log1p of counts scaled to one library size: e = log(1 + target_sum * counts / library).

    Args:
        target_sum: library size after scaling.
        library: "all" divides by the spot's counts over all genes; "panel" over the chosen genes
          only, as released: what a spot loses there depends on the choice of genes.
    """

    def __init__(self, target_sum: float = 1e4, library: str = "all") -> None:
        super().__init__()
        if library not in ("all", "panel"):
            raise InputError(f"data.expression.library: expected all or panel, got {library!r}")
        self.target_sum = target_sum
        self.library = library
        self.unit = log_unit(target_sum, library)

    def __call__(self, section: Section, panel: GenePanel) -> Target:
        """log(1 + scaled counts), natural logarithm; a spot without counts stays 0."""
        counts, measured = panel_counts(section, panel)
        library = library_size(section.adata.X if self.library == "all" else counts)
        scale = self.target_sum / np.maximum(library, 1)
        return Target(scaled_rows(counts, scale).log1p(), measured, scale)


class PearsonResiduals:
    """Pearson residuals of a negative binomial null model (Lause et al. 2021): the control for
    depth and cellularity.

    r = (x - mu) / sqrt(mu + mu^2 / theta), cut at +-clip, with mu = library * share: the library is
    the spot's own counts over all genes, the share is the gene's part of all counts of the section.
    With the share of other patients' sections a gene that is rarer or more frequent here would
    follow depth: |r| of .3 on her2st's held-out patients.

    Args:
        theta: overdispersion of the null model.
        clip: largest absolute residual; None takes sqrt(number of training spots).
    """

    unit = RESIDUAL
    lowest = -float("inf")

    def __init__(self, theta: float = THETA, clip: float | None = None) -> None:
        self.theta = theta
        self.clip = clip
        self.fitted_on = list[str]()

    def fit(self, sections: Sequence[Section], panel: GenePanel) -> None:
        """Set `limit` to `clip`, or to the root of the number of training spots."""
        self.limit = float(self.clip or np.sqrt(sum(len(section.adata) for section in sections)))
        self.fitted_on = [section.section_id for section in sections]

    def state(self) -> dict[str, Any]:
        """`limit`, the largest absolute residual."""
        return {"limit": self.limit}

    def restore(self, state: dict[str, Any], fitted_on: list[str]) -> None:
        """Take over `limit`; the shares are those of each section itself."""
        self.limit = float(state["limit"])
        self.fitted_on = list(fitted_on)

    def __call__(self, section: Section, panel: GenePanel) -> Target:
        """Residuals cut at +-`limit`, with the library sizes and gene shares of this section."""
        counts, measured = panel_counts(section, panel)
        library = library_size(section.adata.X)
        share = np.asarray(counts.sum(axis=0, dtype=np.float64)).ravel() / max(
            library.sum(dtype=np.float64), 1
        )
        return ResidualTarget(counts, measured, library, share, self.theta, self.limit)


def panel_counts(section: Section, panel: GenePanel) -> tuple[sparse.csr_matrix, NDArray[np.bool_]]:
    """Counts (n_spots, n_genes) in panel order, and which genes the section measured, (n_genes,);
    the others have none.
    """
    column = section.adata.var_names.get_indexer(panel.genes)
    measured = column >= 0
    place = np.flatnonzero(column >= 0)
    pick = sparse.csr_matrix(
        (np.ones(len(place)), (column[measured], place)), shape=(section.adata.n_vars, len(column))
    )
    return sparse.csr_matrix(section.adata.X @ pick.astype(np.float32)), measured
