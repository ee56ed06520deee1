"""Ridge regression with a teacher: what a baseline makes of what `StrictTaughtModule` is given."""

from collections.abc import Sequence

from hespotex.batches.fold import Fold
from hespotex.genes.denoised import PROGRAMMES
from hespotex.modules.ridge import RidgeModule
from hespotex.modules.teaching import check_counts, check_programmes, taught_fold, teaching


class RidgeTaughtModule(RidgeModule):
    """The mean of two ridge regressions: on measured expression, and on what a teacher says of it.

    Each chooses its penalty on what it learns; see `RidgeModule`. The teacher is a Poisson
    factorisation of the training counts; see `hespotex.genes.denoised`.

    Args:
        alphas, neighbours: see `RidgeModule`.
        programmes: to choose from, that the counts are factorised into.
        seed: of the spots that programmes are learned from, and of their factorisation.

    Raises:
        InputError: programmes below 1.
    """

    def __init__(
        self,
        d_image: int,
        n_genes: int,
        alphas: list[float],
        neighbours: bool = True,
        programmes: Sequence[int] = PROGRAMMES,
        seed: int = 0,
    ) -> None:
        super().__init__(d_image, n_genes, alphas, neighbours)
        self.programmes = tuple(programmes or ())
        self.seed = seed
        check_programmes(self.programmes)

    def of_genes(self, n_genes: int) -> "RidgeTaughtModule":
        """The same settings, not fitted."""
        settings = (self.alphas, self.neighbours, self.programmes, self.seed)
        return RidgeTaughtModule(self.d_image, n_genes, *settings)

    def fit(self, fold: Fold) -> None:
        """One set of genes that the same sections measured after the other, each with a teacher of
        its own.

        Raises:
            InputError: a training section whose target is not made of counts.
        """
        check_counts(fold)
        super().fit(fold)

    def fit_genes(self, fold: Fold) -> None:
        """Fit both regressions; validation sections, if there are any, judge both by what was
        measured.
        """
        super().fit_genes(fold)
        spots = teaching(fold, fold.split.train, None, None)
        second = RidgeModule(self.d_image, self.n_genes, self.alphas, self.neighbours)
        second.fit_genes(taught_fold(fold, spots, self.programmes, self.seed))
        self.linear.weight.add_(second.linear.weight).div_(2)
