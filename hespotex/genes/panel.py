"""The genes to predict: chosen on training sections, in an order that never changes."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import compress
from typing import Protocol

import anndata as ad
import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from hespotex.common.errors import InputError
from hespotex.common.numerics.csr import column_sums
from hespotex.genes.candidates import ALL, candidates, check_markers, measured_of, shared_genes
from hespotex.genes.variability import normalised_variance
from hespotex.sections.section import Section

BLOCK = 1000  # genes whose ranks in all sections are put side by side


@dataclass(frozen=True)
class GenePanel:
    """Gene symbols in the order of every expression matrix, and the sections that were seen to
    choose them.
    """

    genes: list[str]
    fitted_on: list[str]


Floats = NDArray[np.float64]


@dataclass(frozen=True)
class RankedGenes:
    """Base of the rules that rank the genes of the training sections and take the best that are
    seen often enough.

    A section speaks for the genes that it measured; of the others it says nothing.

    Args:
        n_top: number of genes; fewer where fewer qualify.
        min_spot_fraction: a gene must have counts in this share of the spots of the training
          sections that measured it.
        markers: genes to include whatever their rank.
        measured_in: see `candidates`.

    `alone`: whether the score of a gene, and its place among others, are the same whichever other
    genes are asked for.
    """

    n_top: int = 1000
    min_spot_fraction: float = 0.05
    markers: list[str] = field(default_factory=list)
    measured_in: str | float = ALL
    sees_all_sections = False
    alone = False

    def score(self, section: Section, genes: list[str]) -> Floats:
        """What a section says of each of its `genes`, (n_genes,): the higher, the better."""
        raise NotImplementedError

    def rank(self, scores: Sequence[Floats], genes: list[str]) -> NDArray[np.int64]:
        """Numbers of `genes`, the best first; ties in the order of the names.

        Args:
            scores: of each section, (n_genes,), NaN for a gene that it did not measure.
            genes: names.
        """
        raise NotImplementedError

    def scores(self, section: Section, genes: list[str]) -> Floats:
        """As `score`, of any genes; NaN for those that the section did not measure."""
        is_measured = measured_of(section, genes)
        scores = np.full(len(genes), np.nan)
        if is_measured.any():
            scores[is_measured] = self.score(section, [*compress(genes, is_measured)])
        return scores

    def fit(self, sections: Sequence[Section]) -> GenePanel:
        """The panel of these sections, whatever their order; each is looked at by itself."""
        genes = candidates(sections, self.measured_in)
        check_markers(self.markers, genes)
        scores: dict[str, Floats] = {}
        n_with_counts = np.zeros(len(genes))
        n_spots = np.zeros(len(genes))
        for section in sections:
            scores[section.section_id] = self.scores(section, genes)
            is_measured = measured_of(section, genes)
            n_with_counts[is_measured] += _spots_with_counts(
                section.adata[:, [*compress(genes, is_measured)]]
            )
            n_spots[is_measured] += len(section.adata)
        ranked = self.rank([scores[i] for i in sorted(scores)], genes)
        order = [i for i in ranked if n_with_counts[i] / n_spots[i] >= self.min_spot_fraction]
        if not order:
            raise InputError(
                f"no gene has counts in {self.min_spot_fraction:.0%} of the training spots; lower"
                " data.panel.min_spot_fraction"
            )
        best = {genes[i] for i in order[: self.n_top]}
        return GenePanel(sorted(best | set(self.markers)), list(scores))

    def by_votes(self, scores: Sequence[Floats], genes: list[str]) -> NDArray[np.int64]:
        """Order by the share of the sections in which a gene is among the top, ties by its median
        rank.

        A section that measured some of the genes ranks these, and its ranks are stretched over
        all. The share is of the sections that measured the gene and one more, so that what was
        seen once does not come before what was seen often.
        """
        ranks = [_ranks(score) for score in scores]
        often = np.empty(len(genes))
        median = np.empty(len(genes))
        for start in range(0, len(genes), BLOCK):
            block = slice(start, start + BLOCK)
            own = np.stack([rank[block] for rank in ranks])
            often[block] = (own < self.n_top).sum(axis=0) / (1 + (~np.isnan(own)).sum(axis=0))
            median[block] = np.nanmedian(own, axis=0)
        return np.lexsort((np.array(genes), median, -often))

    def by_mean(self, scores: Sequence[Floats], genes: list[str]) -> NDArray[np.int64]:
        """Order by the mean score over the sections that measured a gene."""
        return np.lexsort((genes, -np.nanmean(scores, axis=0)))


@dataclass(frozen=True)
class HighlyVariableGenes(RankedGenes):
    """Genes that vary most within the training sections (seurat_v3)."""

    def score(self, section: Section, genes: list[str]) -> NDArray[np.float64]:
        """Variance of the standardised counts, beyond what the mean explains, (n_genes,)."""
        return normalised_variance(section.adata[:, genes].X)

    def rank(self, scores: Sequence[NDArray[np.float64]], genes: list[str]) -> NDArray[np.int64]:
        """Genes that are among the top of most sections come first; see `by_votes`."""
        return self.by_votes(scores, genes)


@dataclass(frozen=True)
class PublishedGenes:
    """The released rule: the union over ALL sections, the test section included, of each one's top
    genes.

    Args:
        n_top: genes per section.
        min_cells: where fewer than 1100 are asked for, a gene must have counts in this many spots
          of all sections.
        markers: genes to include whatever their rank.
    """

    n_top: int = 1000
    min_cells: int = 1000
    markers: list[str] = field(default_factory=list)
    measured_in = ALL  # sections, as released
    sees_all_sections = True

    def fit(self, sections: Sequence[Section]) -> GenePanel:
        """The top genes of all sections, less those with counts in few spots; and the markers.

        Raises:
            InputError: fewer than two genes are left, or an unknown marker.
        """
        genes = shared_genes(sections)
        check_markers(self.markers, genes)
        in_top = np.zeros(len(genes), dtype=bool)
        n_cells = np.zeros(len(genes), dtype=np.int64)
        section_ids: list[str] = []
        for section in sections:
            table = section.adata[:, genes]
            in_top |= _ranks(normalised_variance(table.X)) < self.n_top
            n_cells += _spots_with_counts(table)
            section_ids.append(section.section_id)
        if self.n_top < 1100:
            in_top &= n_cells >= self.min_cells
        if in_top.sum() < 2:
            raise InputError(
                f"only {in_top.sum()} genes have counts in {self.min_cells} spots of all sections;"
                " lower data.panel.min_cells"
            )
        return GenePanel(
            sorted({genes[i] for i in np.flatnonzero(in_top)} | set(self.markers)), section_ids
        )


class PanelRule(Protocol):
    """Picks the genes: from the training sections, or from all where it `sees_all_sections`; maps
    of `markers` are drawn.
    """

    @property
    def sees_all_sections(self) -> bool:
        """Whether `fit` gets the validation and test sections too."""
        ...

    @property
    def markers(self) -> list[str]:
        """Genes that are in the panel whatever their rank."""
        ...

    @property
    def measured_in(self) -> str | float:
        """How many training sections must have measured a gene; see `candidates`."""
        ...

    def fit(self, sections: Sequence[Section]) -> GenePanel:
        """Choose the genes by these sections.

        Raises:
            InputError: no gene qualifies.
        """
        ...


def _spots_with_counts(table: ad.AnnData) -> NDArray[np.int64]:
    n_above, _ = column_sums(sparse.csr_matrix(table.X), lambda x, _: (x > 0).astype(np.float64))
    return n_above.astype(np.int64)


def _ranks(score: Floats) -> Floats:
    """Rank of each gene, (n_genes,), the best 0; those of a section that measured n of N genes are
    times N / n. NaN for a gene that was not measured.
    """
    n_known = int((~np.isnan(score)).sum())
    ranks = np.full(len(score), np.nan)
    best_first = np.argsort(-score, kind="stable")[:n_known]  # NaN comes last
    ranks[best_first] = np.arange(n_known) * len(score) / max(n_known, 1)
    return ranks
