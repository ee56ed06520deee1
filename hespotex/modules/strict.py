"""The strict form: a committee of linear regressions whose every setting is chosen on training
sections.
"""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence

import torch
from torch import Tensor
from torch_geometric.data import Batch

from hespotex.batches.fold import Fold
from hespotex.common.progress import progress
from hespotex.modules.base import blocks, weights
from hespotex.modules.closed_form import ClosedFormModule
from hespotex.nn.committee import (
    PENALTIES,
    RANKS,
    Committee,
    Fitted,
    Source,
    committee_inputs,
    part_names,
    quarters,
)
from hespotex.nn.ridge import RidgeSums

log = logging.getLogger(__name__)
MOST_BYTES = 2 * 2**30  # of sums that are held together, see `StrictModule.fit`


class StrictModule(ClosedFormModule):
    """Expression linear in the embedding of the spot, of its neighbours and of its region.

    Several regressions are fitted at once: of low rank, which lets all genes share a few
    programmes, on all patch sizes and on each alone; ridge on the spot; ridge on the spot and its
    neighbours. How strong each one's penalty is, how many programmes it keeps and what share it has
    in the prediction is chosen on training patients that were left out in turn (sections where
    there is one patient, quarters where there is one section), from sums that are added up once.
    See `hespotex.nn.committee`.

    Args:
        penalties: to choose from, for each input, for embeddings of unit variance.
        ranks: to choose from, programmes that genes share; null learns every gene for itself.
    """

    weight: Tensor
    bias: Tensor

    def __init__(
        self,
        d_image: int,
        n_genes: int,
        penalties: Sequence[float] = PENALTIES,
        ranks: Sequence[int | None] = RANKS,
    ) -> None:
        super().__init__(d_image, n_genes)
        self.penalties = tuple(penalties)
        self.ranks = tuple(ranks)
        self.register_buffer("weight", torch.zeros(3 * d_image, n_genes))
        self.register_buffer("bias", torch.zeros(n_genes))

    @property
    def n_hops(self) -> int:
        """2, as the region is the mean of the neighbours' means."""
        return 2

    def of_genes(self, n_genes: int) -> "StrictModule":
        """The same penalties and ranks to choose from, not fitted."""
        return StrictModule(self.d_image, n_genes, self.penalties, self.ranks)

    def take(self, own: "StrictModule", genes: Tensor) -> None:
        """Its weights (3 d_image, n) and biases (n,) become the columns of these genes."""
        self.weight[:, genes] = own.weight
        self.bias[genes] = own.bias

    def fit(self, fold: Fold) -> None:
        """As the parent; where sets of genes were measured by different sections, the spots are
        gone through once for all sets, if their sums are not too large.
        """
        parts = part_names({i: fold.group(i) for i in fold.split.train})
        kinds = kinds_of(fold)
        if parts is None or not _at_once(fold, parts, kinds, 3 * self.d_image):
            super().fit(fold)
            return
        self.set_scaling(*fold.gene_scaling, fold.expression.lowest)
        train = fold.loader(fold.split.train, self.n_hops)
        committee = self.gathered(train, sources_of(fold), parts, kinds)
        for genes, training in progress(fold.by_measured(), "set of genes", "sets of genes"):
            if not _as_many_parts(fold, training, parts):
                self.fit_set(fold, genes, training)
                continue
            own = torch.from_numpy(genes)
            self._take_fitted(committee.select(own, {kinds[i] for i in training}).fit(), own)

    def fit_genes(self, fold: Fold) -> None:
        """Choose and fit on the training sections; the choice goes to the log."""
        self.set_scaling(*fold.gene_scaling, fold.expression.lowest)
        groups = {i: fold.group(i) for i in fold.split.train}
        self.fit_committee(fold.loader(fold.split.train, self.n_hops), sources_of(fold), groups)

    def fit_committee(
        self, train: Iterable[Batch], sources: Sequence[Source], groups: Mapping[str, str]
    ) -> Fitted:
        """Take over the committee of these sections.

        Args:
            train: sections one after the other, whole or in blocks.
            sources: encoders, in the order of the embedding's columns.
            groups: patient of each section.
        """
        fitted = self.gathered(train, sources, part_names(groups), {}).fit()
        self._take_fitted(fitted, slice(None))
        return fitted

    @torch.no_grad()
    def gathered(
        self,
        train: Iterable[Batch],
        sources: Sequence[Source],
        parts: Mapping[str, str] | None,
        kinds: Mapping[str, bytes],
        left_out: str | None = None,
    ) -> Committee:
        """A committee to which these sections were added.

        Args:
            train, sources: see `fit_committee`.
            parts: of the sections, see `part_names`.
            kinds: of the sections, see `kinds_of`; none where all measured the same genes.
            left_out: the part whose spots are not added.
        """
        committee = Committee(sources, self.gene_std, self.penalties, self.ranks)
        for batch in train:
            for section_id, part, sums in sums_of(batch, parts):
                if part != left_out:
                    committee.add(section_id, part, sums, kinds.get(section_id))
        return committee

    def _take_fitted(self, fitted: Fitted, genes: Tensor | slice) -> None:
        """For these genes; what was chosen goes to the log."""
        self.weight[:, genes] = fitted.weight.to(self.weight)
        self.bias[genes] = fitted.bias.to(self.bias)
        for member in fitted.members:
            rank = "every gene by itself" if member.rank is None else f"{member.rank} programmes"
            facts = (member.share, member.name, member.penalty, rank, member.score)
            log.info("%.2f of %s: penalty %g, %s, r = %.3f on training parts left out", *facts)

    def expression(self, batch: Batch) -> Tensor:
        """All regressions as one product, (n_inner, n_genes)."""
        x = committee_inputs(batch.image_embedding, batch.edge_index)[batch.inner]
        return x @ self.weight + self.bias + self.gene_mean


def sources_of(fold: Fold) -> list[Source]:
    """The encoders, in the order of the embedding's columns."""
    return [Source(name, widths) for name, widths in fold.sources()]


def kinds_of(fold: Fold) -> dict[str, bytes]:
    """Of each training section; alike for those that measured the same genes of the panel."""
    return {i: fold.sections[i].target.known.tobytes() for i in fold.split.train}


def _at_once(fold: Fold, parts: Mapping[str, str], kinds: Mapping[str, bytes], d: int) -> bool:
    """Whether the sums of each kind and part, of `d` inputs, are there to be had together: in
    memory, and with weights that do not depend on which sections measured a gene.
    """
    n_sums = len({(kinds[i], parts[i]) for i in fold.split.train})
    n_bytes = 8 * n_sums * d * (d + len(fold.panel.genes))
    several = len(set(kinds.values())) > 1
    return several and n_bytes <= MOST_BYTES and fold.spot_weights() is None


def _as_many_parts(fold: Fold, training: Sequence[str], parts: Mapping[str, str]) -> bool:
    """Whether these sections are left out inside in as many `parts` as they would be by
    themselves.
    """
    own = part_names({i: fold.group(i) for i in training})
    return own is not None and len({parts[i] for i in training}) == len(set(own.values()))


def sums_of(batch: Batch, parts: Mapping[str, str] | None) -> Iterator[tuple[str, str, RidgeSums]]:
    """Section, part and sums of the own spots of each block; without `parts`, of each quarter of
    it.
    """
    x = committee_inputs(batch.image_embedding, batch.edge_index)[batch.inner]
    quarter = quarters(batch.place[batch.inner])
    entries = zip(batch.section_id, blocks(batch), batch.target, weights(batch), strict=True)
    for section_id, spots, target, weight in entries:
        if parts is not None:
            own = x[spots]
            sums = RidgeSums.of(own, target.mean, target.variance, target.times(own))
            yield section_id, parts[section_id], sums if weight is None else sums.times(weight)
            continue
        for number in range(4):
            inside = torch.nonzero(quarter[spots] == number)[:, 0]
            if len(inside):
                own = x[spots][inside]
                few = target.rows(inside)
                sums = RidgeSums.of(own, few.mean, few.variance, few.times(own))
                yield section_id, f"quarter {number}", sums
