"""The strict form: a committee of linear regressions whose every setting is chosen on training
sections.
"""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence

import torch
from torch import Tensor
from torch_geometric.data import Batch

from hespotex.batches.fold import Fold
from hespotex.genes.block_target import BlockTarget
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

    def fit_genes(self, fold: Fold) -> None:
        """Choose and fit on the training sections; the choice goes to the log."""
        self.set_scaling(*fold.gene_scaling, fold.expression.lowest)
        sources = [Source(name, widths) for name, widths in fold.sources()]
        groups = {i: fold.group(i) for i in fold.split.train}
        self.fit_committee(fold.loader(fold.split.train, self.n_hops), sources, groups)

    @torch.no_grad()
    def fit_committee(
        self, train: Iterable[Batch], sources: Sequence[Source], groups: Mapping[str, str]
    ) -> Fitted:
        """Take over the committee of these sections.

        Args:
            train: sections one after the other, whole or in blocks.
            sources: encoders, in the order of the embedding's columns.
            groups: patient of each section.
        """
        committee = Committee(sources, self.gene_std, self.penalties, self.ranks)
        parts = part_names(groups)
        for batch in train:
            for section_id, part, sums in sums_of(batch, parts):
                committee.add(section_id, part, sums)
        fitted = committee.fit()
        self.weight.copy_(fitted.weight)
        self.bias.copy_(fitted.bias)
        for member in fitted.members:
            rank = "every gene by itself" if member.rank is None else f"{member.rank} programmes"
            facts = (member.share, member.name, member.penalty, rank, member.score)
            log.info("%.2f of %s: penalty %g, %s, r = %.3f on training parts left out", *facts)
        return fitted

    def expression(self, batch: Batch) -> Tensor:
        """All regressions as one product, (n_inner, n_genes)."""
        x = committee_inputs(batch.image_embedding, batch.edge_index)[batch.inner]
        return x @ self.weight + self.bias + self.gene_mean


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
                few = BlockTarget.of_table(target.dense()[inside])
                sums = RidgeSums.of(own, few.mean, few.variance, few.times(own))
                yield section_id, f"quarter {number}", sums
