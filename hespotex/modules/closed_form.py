"""Base of the predictors that are fitted at once, without epochs."""

import logging
from typing import Self

import torch
from torch import Tensor
from torch_geometric.data import Batch

from hespotex.batches.fold import Fold
from hespotex.common.errors import InputError
from hespotex.common.progress import progress
from hespotex.genes.candidates import MEASURED_IN
from hespotex.genes.target import Numbers
from hespotex.modules.base import ExpressionModule
from hespotex.modules.linear import parts_of

log = logging.getLogger(__name__)
MANY_SETS = 20
MANY_WORDS = (
    "%d sets of genes were measured by different training sections, and each is fitted by itself,"
    " on all spots of its sections; %s=all, or a larger share, leaves fewer"
)


class ClosedFormModule(ExpressionModule):
    """All is done by `fit_closed_form`; nothing is left for the epochs.

    A gene that some training sections did not measure is fitted on those that did: for each set of
    genes that the same sections measured, a module `of_genes` is fitted, and this one takes it.

    `fits_missing`: whether `fit_genes` itself keeps to what was measured of each gene.
    """

    fits_missing = False

    def __init__(self, d_image: int, n_genes: int) -> None:
        super().__init__(d_image, n_genes)
        self.d_image = d_image
        self.part_of: dict[str, str] = {}  # see `parts_of`
        self.automatic_optimization = False

    def fit(self, fold: Fold) -> None:
        """As the parent, for each set of genes that the same training sections measured."""
        parts = fold.by_measured()
        if len(parts) == 1 or self.fits_missing:
            self.fit_genes(fold)
            return
        if len(parts) > MANY_SETS:
            log.warning(MANY_WORDS, len(parts), MEASURED_IN)
        self.set_scaling(*fold.gene_scaling, fold.expression.lowest)
        for genes, training in progress(parts, "set of genes", "sets of genes"):
            self.fit_set(fold, genes, training)

    def fit_set(self, fold: Fold, genes: Numbers, training: list[str]) -> None:
        """Fit some genes, given by their numbers, on the training sections that measured them."""
        own = self.of_genes(len(genes))
        own.fit_genes(fold.of_genes(genes, training))
        self.take(own, torch.from_numpy(genes))

    def fit_genes(self, fold: Fold) -> None:
        """Fit on training sections that measured all genes, unless it `fits_missing`."""
        self.part_of = parts_of(fold.split.train) | parts_of(fold.split.val)
        super().fit(fold)

    def of_genes(self, n_genes: int) -> Self:
        """A module with the same settings for so many genes, not fitted.

        Raises:
            InputError: this kind of module cannot be put together so.
        """
        raise InputError(
            f"{type(self).__name__} cannot be fitted on genes that some training sections did not"
            f" measure: set {MEASURED_IN}=all"
        )

    def take(self, own: Self, genes: Tensor) -> None:
        """Take over what another module has fitted for these genes, given by their numbers."""
        raise NotImplementedError

    def training_step(self, batch: Batch, batch_idx: int) -> None:
        """Nothing to do: `fit_closed_form` was called before the first epoch."""

    def configure_optimizers(self) -> None:
        """None: no weight is learned step by step."""


class GeneMeanModule(ClosedFormModule):
    """Every spot gets the mean of each gene over the training spots: the errors to beat, and no
    correlation at all.
    """

    fits_missing = True

    def expression(self, batch: Batch) -> Tensor:
        """The same row for every spot, (n_inner, n_genes) float32."""
        return self.gene_mean.expand(len(batch.spot), -1).to(torch.float32)
