"""The strict form with a teacher: what is systematic in the training counts is learned as well."""

import logging
from collections.abc import Sequence

import torch

from hespotex.batches.fold import Fold
from hespotex.common.errors import InputError
from hespotex.common.numerics.correlation import TINY
from hespotex.common.progress import progress
from hespotex.common.shapes import is_number
from hespotex.genes.denoised import PROGRAMMES
from hespotex.modules.closed_form import ClosedFormModule
from hespotex.modules.strict import StrictModule, sources_of
from hespotex.modules.teaching import Parts, check_counts, check_programmes, taught_fold, teaching
from hespotex.nn.committee import (
    PENALTIES,
    RANKS,
    Chosen,
    Committee,
    Forms,
    mixed,
    part_names,
    second_share,
)

log = logging.getLogger(__name__)
SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)


class StrictTaughtModule(StrictModule):
    """The committee of `StrictModule`, fitted twice: on measured expression, and on what a teacher
    says of it. The prediction is a mixture of both.

    The teacher is a Poisson factorisation of the training counts; see `hespotex.genes.denoised`.
    Penalties, ranks and shares of the committee are chosen on measured expression. The share of the
    second fit is chosen on the parts that are left out inside: a teacher and a committee that have
    not seen the part, judged by what was measured there.

    Args:
        penalties, ranks: see `StrictModule`.
        programmes: to choose from, that the counts are factorised into.
        taught_shares: to choose from, of the fit on denoised expression; 0 is `StrictModule`.
        seed: of the spots that programmes are learned from, and of their factorisation.

    Raises:
        InputError: programmes below 1, shares below 0 or above 1.
    """

    def __init__(
        self,
        d_image: int,
        n_genes: int,
        penalties: Sequence[float] = PENALTIES,
        ranks: Sequence[int | None] = RANKS,
        programmes: Sequence[int] = PROGRAMMES,
        taught_shares: Sequence[float] = SHARES,
        seed: int = 0,
    ) -> None:
        super().__init__(d_image, n_genes, penalties, ranks)
        self.programmes = tuple(programmes or ())
        self.taught_shares = tuple(taught_shares or ())
        self.seed = seed
        check_programmes(self.programmes)
        _check(self.taught_shares)

    def of_genes(self, n_genes: int) -> "StrictTaughtModule":
        """The same settings, not fitted."""
        return StrictTaughtModule(
            self.d_image,
            n_genes,
            self.penalties,
            self.ranks,
            self.programmes,
            self.taught_shares,
            self.seed,
        )

    def fit(self, fold: Fold) -> None:
        """One set of genes that the same sections measured after the other, each with a teacher of
        its own.

        Raises:
            InputError: a training section whose target is not made of counts.
        """
        check_counts(fold)
        ClosedFormModule.fit(self, fold)

    @torch.no_grad()
    def fit_genes(self, fold: Fold) -> None:
        """Choose and fit on the training sections; the choices go to the log."""
        self.set_scaling(*fold.gene_scaling, fold.expression.lowest)
        parts = part_names({i: fold.group(i) for i in fold.split.train})
        train = fold.loader(fold.split.train, self.n_hops)
        measured = self.gathered(train, sources_of(fold), parts, {})
        fitted = measured.fit()
        forms = self._forms(fold, parts, measured, fitted.members)
        share, scores = second_share(forms, self.taught_shares)
        told = ", ".join(f"{one:g}: {score:.4f}" for one, score in scores.items())
        log.info("share %g of what the teacher says; r on parts left out: %s", share, told)
        if share:
            taught = self._taught(fold, parts, None).fit_as(fitted.members)
            fitted = mixed(fitted, taught, share, forms)
        self._take_fitted(fitted, slice(None))

    def _forms(
        self, fold: Fold, parts: Parts, measured: Committee, chosen: Sequence[Chosen]
    ) -> list[Forms]:
        """Of what was measured and what was taught, on each part that they have not seen."""
        unit = measured.unit.clamp(min=TINY)
        genes = measured.choosing
        left_out = list(measured.left_out(chosen))
        forms = []
        for part, weight, spots in progress(left_out, "part", "teachers"):
            own = self._taught(fold, parts, part).select(genes, [None]).fit_as(chosen)
            forms.append(Forms.of(torch.stack([weight, own.weight / unit[genes]]), spots))
        return forms

    def _taught(self, fold: Fold, parts: Parts, left_out: str | None) -> Committee:
        """A committee to which the training spots that are not of this part were added, with what a
        teacher says who has not seen the part.
        """
        ids = [i for i in fold.split.train if parts is None or parts[i] != left_out]
        taught = taught_fold(fold, teaching(fold, ids, parts, left_out), self.programmes, self.seed)
        train = taught.loader(ids, self.n_hops)
        return self.gathered(train, sources_of(fold), parts, {}, left_out)


def _check(shares: Sequence[float]) -> None:
    if not shares or any(not is_number(share) or not 0 <= share <= 1 for share in shares):
        raise InputError(f"model.module.taught_shares: expected numbers from 0 to 1, got {shares}")
