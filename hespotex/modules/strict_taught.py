"""The strict form with a teacher: what is systematic in the training counts is learned as well."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
from scipy import sparse

from hespotex.batches.fold import Fold
from hespotex.common.errors import InputError
from hespotex.common.numerics.correlation import TINY
from hespotex.common.progress import progress
from hespotex.genes.denoised import PROGRAMMES, DenoisedTarget, Programmes, most_spots
from hespotex.genes.target import Numbers
from hespotex.modules.closed_form import ClosedFormModule
from hespotex.modules.strict import StrictModule, sources_of
from hespotex.nn.committee import (
    PENALTIES,
    RANKS,
    Chosen,
    Committee,
    Forms,
    mixed,
    part_names,
    quarters,
    second_share,
)

log = logging.getLogger(__name__)
SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
Parts = Mapping[str, str] | None


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
        self.programmes = tuple(programmes)
        self.taught_shares = tuple(taught_shares)
        self.seed = seed
        _check(self.programmes, self.taught_shares)

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


def _check(programmes: Sequence[int], shares: Sequence[float]) -> None:
    if not programmes or min(programmes) < 1:
        raise InputError(f"model.module.programmes: expected numbers from 1, got {programmes}")
    if not shares or min(shares) < 0 or max(shares) > 1:
        raise InputError(f"model.module.taught_shares: expected numbers from 0 to 1, got {shares}")


def check_counts(fold: Fold) -> None:
    """Counts can be read off the target of each training section.

    Raises:
        InputError: not of this one; see `Target.counts`.
    """
    for section_id in fold.split.train:
        try:
            fold.sections[section_id].target.counts()
        except InputError as error:
            raise InputError(f"section {section_id}: {error}") from None


def teaching(
    fold: Fold, ids: Sequence[str], parts: Parts, left_out: str | None
) -> dict[str, Numbers]:
    """Numbers of the spots of each of these sections that a teacher may see: all, or without
    `parts` those of the other quarters.
    """
    every = {i: np.arange(len(fold.graph(i))) for i in ids}
    if parts is not None or left_out is None:
        return every
    place = {i: fold.graph(i).inputs["place"][torch.from_numpy(own)] for i, own in every.items()}
    names = {i: [f"quarter {number}" for number in quarters(own)] for i, own in place.items()}
    return {i: np.flatnonzero(np.array(own) != left_out) for i, own in names.items()}


def taught_fold(
    fold: Fold, spots: Mapping[str, Numbers], programmes: Sequence[int], seed: int
) -> Fold:
    """The same fold, where these sections learn what a teacher says of their counts.

    Args:
        spots: of each section, that the teacher learns from.
        programmes, seed: see `StrictTaughtModule`.
    """
    teacher = Programmes.fit(teaching_counts(fold, spots, seed), programmes, seed)
    sections = dict(fold.sections)
    for section_id in spots:
        own = sections[section_id]
        target = DenoisedTarget.of(own.target, teacher)
        sections[section_id] = replace(own, graph=replace(own.graph, target=target))
    return replace(fold, sections=sections)


def teaching_counts(fold: Fold, spots: Mapping[str, Numbers], seed: int) -> sparse.csr_matrix:
    """Counts (n, n_genes) of these spots, or of as many of each section as `most_spots` allows."""
    rng = np.random.default_rng(seed)
    each = max(1, most_spots(len(fold.panel.genes)) // len(spots))
    drawn = {i: np.sort(rng.permutation(own)[:each]) for i, own in spots.items()}
    tables = [fold.sections[i].target.counts()[own] for i, own in drawn.items()]
    return sparse.csr_matrix(sparse.vstack(tables))
