"""Sums of sections in, one linear map out."""

import math
import operator
from collections.abc import Collection, Hashable, Iterable, Iterator, Sequence
from copy import copy
from dataclasses import dataclass, replace
from functools import reduce

import torch
from torch import Tensor

from hespotex.common.numerics.correlation import TINY
from hespotex.nn.committee.centred import Centred, Principal, standardised
from hespotex.nn.committee.members import RANKS, Chosen, Member, Ranks, Source, members_of
from hespotex.nn.committee.shares import Forms, shares_of, slope_of
from hespotex.nn.ridge import RidgeSums

PENALTIES = (0.1, 0.35, 1.0, 3.5, 10.0, 35.0, 100.0)  # for each input, for inputs of unit variance
MOST_GENES = 512  # that choices are read off; the fit is of all genes
FEWEST_SPOTS = 8  # of a part whose scores say anything
LEAST_SPREAD = 0.2  # of a gene within a section, in units of its spread over all
Kind = Hashable
Pair = tuple[Centred, Centred]  # spots that train, and spots that were left out


@dataclass(frozen=True)
class Fitted:
    """The committee as one linear map: inputs times weight plus bias is expression less its mean.

    Args:
        weight: (n_inputs, n_genes) float64, in the unit of the targets.
        bias: (n_genes,) float64.
        members: what was chosen for each.
        score: mean gene-wise Pearson of the whole on the left-out parts, which its shares were
            chosen on; NaN where there were none.
        slope: that the weights were multiplied by, from left-out predictions.
    """

    weight: Tensor
    bias: Tensor
    members: tuple[Chosen, ...]
    score: float
    slope: float


class Committee:
    """Gathers sums section by section, then chooses, weights and fits.

    Within each section every gene is centred and put in units of its own spread there, as
    differences between sections are mostly batch. Memory: the sums of each part, and of the section
    that is being added.

    Args:
        sources: encoders, in the order of the embedding's columns.
        gene_std: (n_genes,) of each gene over all training spots; see `LEAST_SPREAD`.
        penalties: to choose from, for each input.
        ranks: to choose from.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        gene_std: Tensor,
        penalties: Sequence[float] = PENALTIES,
        ranks: Ranks = RANKS,
    ) -> None:
        self.members = members_of(sources, ranks)
        self.penalties = tuple(sorted(penalties))
        self.least = LEAST_SPREAD * gene_std.double()
        self.parts: dict[tuple[Kind, str], RidgeSums] = {}
        self.closed: set[str] = set()
        self.section = ""
        self.pending: dict[tuple[Kind, str], RidgeSums] = {}
        self.spread = torch.zeros_like(self.least)
        self.measured = torch.zeros_like(self.least)
        self.inputs: dict[Kind, tuple[float, Tensor]] = {}  # spots, and sum of their inputs

    def add(self, section_id: str, part: str, sums: RidgeSums, kind: Kind = None) -> None:
        """Add some spots of a section, which are left out together with all others of `part`.

        Args:
            section_id: whose blocks follow one another.
            part: see `part_names`.
            sums: of `committee_inputs` and targets.
            kind: of the section, for `select`: alike for those that measured the same genes.

        Raises:
            ValueError: a section comes back after another one began.
        """
        if section_id != self.section:
            self._close()
            self.section = section_id
        if section_id in self.closed:
            raise ValueError(f"section {section_id}: its blocks must follow one another")
        place = kind, part
        self.pending[place] = self.pending[place] + sums if place in self.pending else sums

    def _close(self) -> None:
        """Put the section that is complete into its units, and into its parts."""
        if not self.pending:
            return
        whole = _total(self.pending.values())
        variance = whole.variance()
        spread = torch.maximum(variance.sqrt(), self.least).clamp(min=TINY)
        for place, sums in self.pending.items():
            unit = standardised(sums, whole.x / whole.n, whole.y / whole.n, spread)
            self.parts[place] = self.parts[place] + unit if place in self.parts else unit
        varies = (variance > TINY).double()
        self.spread += varies * spread
        self.measured += varies
        kind = next(iter(self.pending))[0]
        n, x = self.inputs.get(kind, (0.0, torch.zeros_like(whole.x)))
        self.inputs[kind] = n + whole.n, x + whole.x
        self.closed.add(self.section)
        self.pending = {}

    def select(self, genes: Tensor, kinds: Collection[Kind]) -> "Committee":
        """Of some genes, given by their numbers, and the sections of these kinds, which measured
        them; as if no other had been added.
        """
        self._close()
        own = copy(self)
        whole = self.least, self.spread, self.measured
        own.least, own.spread, own.measured = (each[genes] for each in whole)
        own.inputs = {kind: self.inputs[kind] for kind in kinds}
        parts: dict[str, list[RidgeSums]] = {}
        for (kind, part), sums in self.parts.items():
            if kind in kinds:
                parts.setdefault(part, []).append(sums.of_genes(genes))
        own.parts = {(None, part): _total(each) for part, each in parts.items()}
        return own

    def fit(self) -> Fitted:
        """Choose on the left-out parts, fit on all spots.

        Raises:
            ValueError: nothing was added.
        """
        self._close()
        if not self.inputs:
            raise ValueError("no section was added")
        return self.fit_as(*self._choose())

    def fit_as(
        self, chosen: Sequence[Chosen], score: float = math.nan, slope: float = 1.0
    ) -> Fitted:
        """Fit on all spots, as it was chosen elsewhere; see `Fitted`."""
        self._close()
        weight = self._joined(Centred.of(_total(self.parts.values())), chosen)
        weight = weight * slope * self.spread / self.measured.clamp(min=1)
        return Fitted(weight, -self._mean_inputs() @ weight, tuple(chosen), score, slope)

    def left_out(self, chosen: Sequence[Chosen]) -> Iterator[tuple[str, Tensor, Centred]]:
        """Each part that is left out to choose: its name, weights (d, g) of a fit on all others,
        and its spots; of `choosing`, all in their `unit`.
        """
        self._close()
        for (_, name), (train, test) in self._left_out().items():
            yield name, self._joined(train, chosen), test

    @property
    def choosing(self) -> Tensor:
        """Numbers of the genes that choices are read off."""
        return some_genes(len(self.least))

    @property
    def unit(self) -> Tensor:
        """Mean spread of each gene within a section, (g,)."""
        return self.spread / self.measured.clamp(min=1)

    def _joined(self, spots: Centred, chosen: Sequence[Chosen]) -> Tensor:
        """Weights of all members together, (d, g), in the `unit` of each gene."""
        weight = torch.zeros_like(spots.cross)
        for member, choice in zip(self.members, chosen, strict=True):
            own = Principal.of(spots.of_columns(member.columns)).weights(choice)
            weight[member.columns] += choice.share * own
        return weight

    def _mean_inputs(self) -> Tensor:
        """Over all spots, (d,)."""
        each = self.inputs.values()
        return torch.stack([x for _, x in each]).sum(0) / sum(n for n, _ in each)

    def _choose(self) -> tuple[tuple[Chosen, ...], float, float]:
        """Settings and share of each member; score and slope of the whole on left-out parts."""
        pairs = list(self._left_out().values())
        tried = [self._settings(member, pairs) for member in self.members]
        chosen = [choice for choice, _ in tried]
        forms = [
            self._forms([weights[number] for _, weights in tried], test)
            for number, (_, test) in enumerate(pairs)
        ]
        shares = shares_of(forms, len(chosen))
        pairwise = zip(chosen, shares.tolist(), strict=True)
        members = tuple(replace(choice, share=share) for choice, share in pairwise)
        score = mean_score(float(form.pearson(shares).nanmean()) for form in forms)
        return members, score, slope_of(forms, shares)

    def _left_out(self) -> dict[tuple[Kind, str], Pair]:
        """By part: the spots without it, and its own; none where no two parts are large enough."""
        total = _total(self.parts.values())
        genes = self.choosing
        large = {place: part for place, part in self.parts.items() if part.n >= FEWEST_SPOTS}
        if len(large) < 2:
            return {}
        return {
            place: (Centred.of(total - part, genes), Centred.of(part, genes))
            for place, part in large.items()
        }

    def _settings(self, member: Member, pairs: Sequence[Pair]) -> tuple[Chosen, list[Tensor]]:
        """With which the others predict each part best, and the weights of each pair then; without
        parts the middle penalty.
        """
        middle = self.penalties[len(self.penalties) // 2]
        best = Chosen(member.name, middle, member.ranks[-1], math.nan)
        own = [_principal(member, *pair) for pair in pairs]
        for penalty in self.penalties if pairs else ():
            each = [train.scores(penalty, member.ranks, test) for train, test in own]
            for rank in member.ranks:
                score = mean_score(scores[rank] for scores in each)
                if _above(score, best.score):
                    best = Chosen(member.name, penalty, rank, score)
        return best, [train.weights(best) for train, _ in own]

    def _forms(self, weights: Sequence[Tensor], test: Centred) -> Forms:
        """Of the predictions for left-out spots, by the weights of each member."""
        whole = test.cross.new_zeros(len(weights), *test.cross.shape)
        for own, member, its in zip(whole, self.members, weights, strict=True):
            own[member.columns] = its
        return Forms.of(whole, test)


def _principal(member: Member, train: Centred, test: Centred) -> tuple[Principal, Centred]:
    """What the member sees of both, in the principal axes of the spots that train."""
    own = Principal.of(train.of_columns(member.columns))
    return own, test.of_columns(member.columns).along(own.axes)


def some_genes(n_genes: int) -> Tensor:
    """At most `MOST_GENES`, evenly over the panel."""
    n = min(n_genes, MOST_GENES)
    return torch.linspace(0, n_genes - 1, n, dtype=torch.float64).round().long()


def mean_score(scores: Iterable[float]) -> float:
    """Over the parts that have one; NaN where none has."""
    return float(torch.tensor(list(scores), dtype=torch.float64).nanmean())


def _total(sums: Iterable[RidgeSums]) -> RidgeSums:
    return reduce(operator.add, sums)


def _above(score: float, best: float) -> bool:
    """Whether a score is known, and better than the best so far."""
    return not math.isnan(score) and not score <= best
