"""The genes to predict: chosen on training sections, in an order that never changes."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import anndata as ad
import numpy as np
from numpy.typing import NDArray

from hespotex.data.section import Section
from hespotex.data.variability import normalised_variance
from hespotex.errors import InputError


@dataclass(frozen=True)
class GenePanel:
    """Gene symbols in the order of every expression matrix, and the sections that were seen to
    choose them.
    """

    genes: list[str]
    fitted_on: list[str]


@dataclass(frozen=True)
class RankedGenes:
    """Base of the rules that rank the genes of the training sections and take the best that are
    seen often enough.

    Args:
        n_top: number of genes; fewer where fewer qualify.
        min_spot_fraction: a gene must have counts in this share of the spots of the training
          sections.
        markers: genes to include whatever their rank.
    """

    n_top: int = 1000
    min_spot_fraction: float = 0.05
    markers: list[str] = field(default_factory=list)
    sees_all_sections = False

    def score(self, section: Section, genes: list[str]) -> NDArray[np.float64]:
        """What a section says of each of its `genes`, (n_genes,): the higher, the better."""
        raise NotImplementedError

    def rank(self, scores: Sequence[NDArray[np.float64]], genes: list[str]) -> NDArray[np.int64]:
        """Numbers of `genes`, the best first; ties in the order of the names."""
        raise NotImplementedError

    def fit(self, sections: Sequence[Section]) -> GenePanel:
        """The panel of these sections, whatever their order; each is looked at by itself."""
        genes = shared_genes(sections)
        check_markers(self.markers, genes)
        scores: dict[str, NDArray[np.float64]] = {}
        seen = np.zeros(len(genes))
        n_spots = 0
        for section in sections:
            scores[section.section_id] = self.score(section, genes)
            seen += _spots_with_counts(section.adata[:, genes])
            n_spots += len(section.adata)
        ranked = self.rank([scores[i] for i in sorted(scores)], genes)
        order = [i for i in ranked if seen[i] / n_spots >= self.min_spot_fraction]
        if not order:
            raise InputError(
                f"no gene has counts in {self.min_spot_fraction:.0%} of the training spots; lower"
                " data.panel.min_spot_fraction"
            )
        best = {genes[i] for i in order[: self.n_top]}
        return GenePanel(sorted(best | set(self.markers)), list(scores))

    def by_votes(
        self, scores: Sequence[NDArray[np.float64]], genes: list[str]
    ) -> NDArray[np.int64]:
        """Order by the number of sections in which a gene is among the top, ties by its median
        rank.
        """
        ranks = np.stack([_ranks(score) for score in scores])
        often = (ranks < self.n_top).sum(axis=0)
        median = np.median(ranks, axis=0)
        return np.lexsort((genes, median, -often))

    def by_mean(self, scores: Sequence[NDArray[np.float64]], genes: list[str]) -> NDArray[np.int64]:
        """Order by the mean score over sections."""
        return np.lexsort((genes, -np.mean(scores, axis=0)))


@dataclass(frozen=True)
class HighlyVariableGenes(RankedGenes):
    """Genes that vary most within the training sections (seurat_v3)."""

    def score(self, section: Section, genes: list[str]) -> NDArray[np.float64]:
        return normalised_variance(section.adata[:, genes].X)

    def rank(self, scores: Sequence[NDArray[np.float64]], genes: list[str]) -> NDArray[np.int64]:
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
    sees_all_sections = True

    def fit(self, sections: Sequence[Section]) -> GenePanel:
        genes = shared_genes(sections)
        check_markers(self.markers, genes)
        chosen = np.zeros(len(genes), dtype=bool)
        n_cells = np.zeros(len(genes), dtype=np.int64)
        seen: list[str] = []
        for section in sections:
            table = section.adata[:, genes]
            chosen |= _ranks(normalised_variance(table.X)) < self.n_top
            n_cells += _spots_with_counts(table)
            seen.append(section.section_id)
        if self.n_top < 1100:
            chosen &= n_cells >= self.min_cells
        if chosen.sum() < 2:
            raise InputError(
                f"only {chosen.sum()} genes have counts in {self.min_cells} spots of all sections;"
                " lower data.panel.min_cells"
            )
        return GenePanel(
            sorted({genes[i] for i in np.flatnonzero(chosen)} | set(self.markers)), seen
        )


class PanelRule(Protocol):
    """Picks the genes: from the training sections, or from all where it `sees_all_sections`; maps
    of `markers` are drawn.
    """

    @property
    def sees_all_sections(self) -> bool: ...

    @property
    def markers(self) -> list[str]: ...

    def fit(self, sections: Sequence[Section]) -> GenePanel: ...


def shared_genes(sections: Sequence[Section]) -> list[str]:
    """Genes that all sections measured, sorted.

    Raises:
        InputError: none is shared.
    """
    shared: set[str] | None = None
    examples: dict[str, str] = {}
    for section in sections:
        own = {str(gene) for gene in section.adata.var_names}
        shared = own if shared is None else shared & own
        if len(examples) < 3:
            examples[section.section_id] = str(section.adata.var_names[0])
    if not shared:
        raise InputError(
            f"the training sections share no gene name (first names: {examples}): symbols in one,"
            " Ensembl ids in another?"
        )
    return sorted(shared)


def check_markers(
    markers: Sequence[str], genes: Sequence[str], config_key: str = "data.panel.markers"
) -> None:
    """Refuse names that are not among `genes`, with the nearest that are, whatever their case."""
    known = set(genes)
    unknown = [marker for marker in markers if marker not in known]
    near = _near(unknown, genes)
    if unknown:
        hints = "; ".join(f"{m} (near: {', '.join(names) or 'none'})" for m, names in near.items())
        raise InputError(f"{config_key}: not among the genes that can be predicted: {hints}")


def _near(unknown: Sequence[str], genes: Sequence[str]) -> dict[str, list[str]]:
    """By unknown name up to three of `genes` that are like it; upper and lower case are one."""
    by_upper = {gene.upper(): gene for gene in genes}
    found = {
        name: difflib.get_close_matches(name.upper(), list(by_upper), n=3, cutoff=0.6)
        for name in unknown
    }
    return {name: [by_upper[upper] for upper in near] for name, near in found.items()}


def _spots_with_counts(table: ad.AnnData) -> NDArray[np.int64]:
    return np.asarray((table.X > 0).sum(axis=0)).ravel()


def _ranks(score: NDArray[np.float64]) -> NDArray[np.int64]:
    ranks = np.empty(len(score), dtype=np.int64)
    ranks[np.argsort(-score, kind="stable")] = np.arange(len(score))
    return ranks
