"""A committee of linear regressions, its settings and shares chosen on left-out training parts.

Nothing is tuned on a test section, and no spot is looked at twice: everything is read off sums of
the inputs and targets. How a model uses it::

    committee = Committee([Source("histology", (107, 107))], gene_std)
    parts = part_names({section_id: group, ...})  # None for a single section
    for each section, whole or in blocks that follow one another:
        x = committee_inputs(image_embedding, edge_index)[inner]  # (n, 3 * d_image)
        committee.add(section_id, parts[section_id], RidgeSums.of(x, ...))
        # a single section: one such call for the spots of each of its `quarters`
    fitted = committee.fit()
    expression = gene_mean + committee_inputs(...) @ fitted.weight + fitted.bias
"""

import math
import operator
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce

import torch
from scipy.linalg import eigh
from scipy.optimize import nnls
from torch import Tensor

from hespotex.common.correlation import TINY, pearson
from hespotex.common.sparse import Edges
from hespotex.nn.ridge import RidgeSums

PENALTIES = (0.1, 0.35, 1.0, 3.5, 10.0, 35.0, 100.0)  # for each input, for inputs of unit variance
Ranks = tuple[int | None, ...]
Scores = dict[int | None, float]
RANKS: Ranks = (4, 8, 12, 16, None)  # programmes that genes share; None: every gene for itself
MOST_PARTS = 6  # more groups or sections are joined: a choice needs no more, and each costs a fit
MOST_GENES = 512  # that choices are read off; the fit is of all genes
FEWEST_SPOTS = 8  # of a part whose scores say anything
LEAST_SPREAD = 0.2  # of a gene within a section, in units of its spread over all
SLOPES = (0.2, 2.0)  # of the calibration
STACKED = 0.5  # share of the stacked weights in the members' shares; the rest is equal


@dataclass(frozen=True)
class Source:
    """One encoder's columns of the embedding.

    Args:
        name: of the encoder.
        widths: of its patch sizes, side by side in this order.
    """

    name: str
    widths: tuple[int, ...]


@dataclass(frozen=True)
class Member:
    """One regression of the committee.

    Args:
        name: for tables.
        columns: of `committee_inputs` that it looks at, (d,).
        ranks: that it may choose from.
    """

    name: str
    columns: Tensor
    ranks: Ranks


@dataclass(frozen=True)
class Chosen:
    """What was chosen for one member.

    Args:
        name: of the member.
        penalty: for each input.
        rank: programmes that genes share; None where every gene is learned for itself.
        score: mean gene-wise Pearson on the left-out parts; NaN where there were none.
        share: of the member in the prediction; the shares add up to 1.
    """

    name: str
    penalty: float
    rank: int | None
    score: float
    share: float = 0.0


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


def committee_inputs(x: Tensor, edge_index: Tensor) -> Tensor:
    """Spot, mean of its neighbours, and region (mean of their means).  (n, d) -> (n, 3 d)"""
    edges = Edges(edge_index, len(x))
    near = edges.mean(x)
    return torch.cat([x, near, edges.mean(near)], dim=1)


def part_names(groups: Mapping[str, str]) -> dict[str, str] | None:
    """The part of each training section, from the group of each.

    A part is a group where there are two or more, else a section; beyond `MOST_PARTS` several
    share one. None for a single section, whose parts are its `quarters`.
    """
    if len(groups) < 2:
        return None
    alone = len(set(groups.values())) < 2
    held_out_by = {section: section if alone else group for section, group in groups.items()}
    number = {name: i % MOST_PARTS for i, name in enumerate(sorted(set(held_out_by.values())))}
    return {section: f"part {number[name]}" for section, name in held_out_by.items()}


def quarters(place: Tensor) -> Tensor:
    """Quarter of the section, 0 to 3, of standardised places.  (n, 2) -> (n,)"""
    return (place[:, 0] > 0).long() * 2 + (place[:, 1] > 0).long()


def members_of(sources: Sequence[Source], ranks: Ranks = RANKS) -> list[Member]:
    """The regressions of each encoder, up to five.

    Of low rank on spot and region, on all patch sizes and, where there are several, on each alone;
    ridge on the spot; ridge on the spot and the mean of its neighbours.
    """
    d_image = sum(sum(source.widths) for source in sources)
    members: list[Member] = []
    start = 0
    for source in sources:
        spot = torch.arange(start, start + sum(source.widths))
        members += _programme_members(source, spot, spot + 2 * d_image, ranks)
        near = torch.cat([spot, spot + d_image])
        members.append(Member(f"{source.name}: ridge", spot, (None,)))
        members.append(Member(f"{source.name}: ridge, neighbours", near, (None,)))
        start += sum(source.widths)
    return members


def _programme_members(source: Source, spot: Tensor, region: Tensor, ranks: Ranks) -> list[Member]:
    whole = [Member(f"{source.name}: programmes", torch.cat([spot, region]), ranks)]
    if len(source.widths) < 2:
        return whole
    spots = torch.split(spot, list(source.widths))
    regions = torch.split(region, list(source.widths))
    columns = [torch.cat(pair) for pair in zip(spots, regions, strict=True)]
    names = [f"{source.name}: programmes, patch size {i}" for i in range(1, len(columns) + 1)]
    return whole + [Member(name, own, ranks) for name, own in zip(names, columns, strict=True)]


@dataclass(frozen=True)
class Centred:
    """Centred sums of spots: products of inputs (d, d), and with genes (d, g); squares (g,)."""

    gram: Tensor
    cross: Tensor
    squares: Tensor

    @classmethod
    def of(cls, sums: RidgeSums, genes: Tensor | slice = slice(None)) -> "Centred":
        """Of these genes."""
        return cls(sums.gram(), sums.cross()[:, genes], sums.n * sums.variance()[genes])

    def of_columns(self, columns: Tensor) -> "Centred":
        """The same for some of the inputs."""
        return Centred(self.gram[columns][:, columns], self.cross[columns], self.squares)

    def ridge(self, penalty: float) -> Tensor:
        """W minimising |X W - Y|^2 + penalty * d * |W|^2, (d, g)."""
        ridge = penalty * len(self.gram) * torch.eye(len(self.gram), dtype=torch.float64)
        return torch.cholesky_solve(self.cross, torch.linalg.cholesky(self.gram + ridge))

    def pearson(self, weights: Tensor) -> Tensor:
        """Of X W with Y for each gene, (g,); NaN for a gene that is constant on either side."""
        spread = (weights * (self.gram @ weights)).sum(0)
        return pearson((weights * self.cross).sum(0), spread, self.squares)

    def weights(self, choice: Chosen) -> Tensor:
        """Of a regression with this penalty and rank, (d, g)."""
        full = self.ridge(choice.penalty)
        if choice.rank is None:
            return full
        directions, strengths = programmes(full, self.gram, choice.rank + 1)
        kept = kept_parts(strengths, choice.rank)
        return (full @ directions[: len(kept)].T * kept) @ directions[: len(kept)]

    def scores(self, penalty: float, ranks: Ranks, left_out: "Centred") -> Scores:
        """Mean gene-wise Pearson on the left-out spots, for each rank."""
        full = self.ridge(penalty)
        found: Scores = {}
        if None in ranks:
            found[None] = float(left_out.pearson(full).nanmean())
        low = [rank for rank in ranks if rank is not None]
        if low:
            directions, strengths = programmes(full, self.gram, max(low) + 1)
            axes = left_out.along(full @ directions.T)
            for rank in low:
                weights = kept_parts(strengths, rank)[:, None] * directions[:rank]
                found[rank] = float(axes.first(len(weights)).pearson(weights).nanmean())
        return found

    def along(self, axes: Tensor) -> "Centred":
        """The same with inputs times the axes (d, k) for inputs."""
        return Centred(axes.T @ self.gram @ axes, axes.T @ self.cross, self.squares)

    def first(self, k: int) -> "Centred":
        """The same for the first k inputs."""
        return Centred(self.gram[:k, :k], self.cross[:k], self.squares)


@dataclass(frozen=True)
class Forms:
    """Predictions of m members: products of two (m, m, g), and with genes (m, g); squares (g,)."""

    inner: Tensor
    cross: Tensor
    squares: Tensor

    @classmethod
    def of(cls, weights: Tensor, spots: Centred) -> "Forms":
        """Of the members' weights (m, d, g)."""
        rotated = [spots.gram @ own for own in weights]
        inner = torch.stack([(own * torch.stack(rotated)).sum(1) for own in weights])
        return cls(inner, (weights * spots.cross).sum(1), spots.squares)

    def mixed(self, shares: Tensor) -> tuple[Tensor, Tensor]:
        """Squares of the mixture, and its products with the genes, (g,) each."""
        return torch.einsum("i,j,ijg->g", shares, shares, self.inner), shares @ self.cross

    def pearson(self, shares: Tensor) -> Tensor:
        """Of the mixture with each gene, (g,)."""
        squares, cross = self.mixed(shares)
        return pearson(cross, squares, self.squares)

    def equations(self) -> tuple[Tensor, Tensor]:
        """Normal equations (m, m), (m,) of the shares, each gene in units of its spread here."""
        known = self.squares > TINY
        squares = self.squares[known]
        inner = (self.inner[..., known] / squares).mean(-1)
        return inner, (self.cross[:, known] / squares).mean(-1)


Pair = tuple[Centred, Centred]  # spots that train, and spots that were left out


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
        self.parts: dict[str, RidgeSums] = {}
        self.closed: set[str] = set()
        self.section = ""
        self.pending: dict[str, RidgeSums] = {}
        self.spread = torch.zeros_like(self.least)
        self.measured = torch.zeros_like(self.least)
        self.n_spots = 0.0
        self.total_x: Tensor | None = None

    def add(self, section_id: str, part: str, sums: RidgeSums) -> None:
        """Add some spots of a section, which are left out together with all others of `part`.

        Args:
            section_id: whose blocks follow one another.
            part: see `part_names`.
            sums: of `committee_inputs` and targets.

        Raises:
            ValueError: a section comes back after another one began.
        """
        if section_id != self.section:
            self._close()
            self.section = section_id
        if section_id in self.closed:
            raise ValueError(f"section {section_id}: its blocks must follow one another")
        self.pending[part] = self.pending[part] + sums if part in self.pending else sums

    def _close(self) -> None:
        """Put the section that is complete into its units, and into its parts."""
        if not self.pending:
            return
        whole = _total(self.pending.values())
        variance = whole.variance()
        spread = torch.maximum(variance.sqrt(), self.least).clamp(min=TINY)
        for part, sums in self.pending.items():
            unit = standardised(sums, whole.x / whole.n, whole.y / whole.n, spread)
            self.parts[part] = self.parts[part] + unit if part in self.parts else unit
        varies = (variance > TINY).double()
        self.spread += varies * spread
        self.measured += varies
        self.n_spots += whole.n
        self.total_x = whole.x if self.total_x is None else self.total_x + whole.x
        self.closed.add(self.section)
        self.pending = {}

    def fit(self) -> Fitted:
        """Choose on the left-out parts, fit on all spots.

        Raises:
            ValueError: nothing was added.
        """
        self._close()
        if self.total_x is None:
            raise ValueError("no section was added")
        spots = Centred.of(_total(self.parts.values()))
        chosen, score, slope = self._choose()
        weight = torch.zeros_like(spots.cross)
        for member, choice in zip(self.members, chosen, strict=True):
            own = spots.of_columns(member.columns).weights(choice)
            weight[member.columns] += choice.share * own
        weight = weight * slope * self.spread / self.measured.clamp(min=1)
        return Fitted(weight, -(self.total_x / self.n_spots) @ weight, chosen, score, slope)

    def _choose(self) -> tuple[tuple[Chosen, ...], float, float]:
        """Settings and share of each member; score and slope of the whole on left-out parts."""
        pairs = self._left_out()
        chosen = [self._settings(member, pairs) for member in self.members]
        forms = [self._forms(chosen, train, test) for train, test in pairs]
        shares = shares_of(forms, len(chosen))
        pairwise = zip(chosen, shares.tolist(), strict=True)
        members = tuple(replace(choice, share=share) for choice, share in pairwise)
        score = mean_score(float(form.pearson(shares).nanmean()) for form in forms)
        return members, score, slope_of(forms, shares)

    def _left_out(self) -> list[Pair]:
        """The spots without each part, and the part; none where no two parts are large enough."""
        total = _total(self.parts.values())
        genes = some_genes(len(self.least))
        large = [part for part in self.parts.values() if part.n >= FEWEST_SPOTS]
        if len(large) < 2:
            return []
        return [(Centred.of(total - part, genes), Centred.of(part, genes)) for part in large]

    def _settings(self, member: Member, pairs: Sequence[Pair]) -> Chosen:
        """With which the others predict each part best; without parts the middle penalty."""
        middle = self.penalties[len(self.penalties) // 2]
        best = Chosen(member.name, middle, member.ranks[-1], math.nan)
        own = [tuple(spots.of_columns(member.columns) for spots in pair) for pair in pairs]
        for penalty in self.penalties if pairs else ():
            each = [train.scores(penalty, member.ranks, test) for train, test in own]
            for rank in member.ranks:
                score = mean_score(scores[rank] for scores in each)
                if _above(score, best.score):
                    best = Chosen(member.name, penalty, rank, score)
        return best

    def _forms(self, chosen: Sequence[Chosen], train: Centred, test: Centred) -> Forms:
        """Of the members' predictions for the left-out spots."""
        weights = train.cross.new_zeros(len(chosen), *train.cross.shape)
        for own, member, choice in zip(weights, self.members, chosen, strict=True):
            own[member.columns] = train.of_columns(member.columns).weights(choice)
        return Forms.of(weights, test)


def shares_of(forms: Sequence[Forms], n_members: int) -> Tensor:
    """Share of each member, (n_members,): half of it equal.

    The other half goes by the non-negative weights of least squared error on the left-out parts.
    All is equal where there is nothing to weigh.
    """
    equal = torch.full((n_members,), 1 / n_members, dtype=torch.float64)
    usable = [form for form in forms if bool((form.squares > TINY).any())]
    if not usable:
        return equal
    equations = [form.equations() for form in usable]
    inner = torch.stack([inner for inner, _ in equations]).sum(0)
    stacked = non_negative(inner, torch.stack([cross for _, cross in equations]).sum(0))
    if not stacked.sum() > 0:
        return equal
    return STACKED * stacked / stacked.sum() + (1 - STACKED) * equal


def non_negative(a: Tensor, b: Tensor) -> Tensor:
    """w >= 0 minimising w^T A w - 2 b^T w, for A (m, m) and b (m,)."""
    little = 1e-6 * a.trace() / len(a) + TINY
    root = torch.linalg.cholesky(a + little * torch.eye(len(a), dtype=a.dtype))
    target = torch.linalg.solve_triangular(root, b[:, None], upper=False)[:, 0]
    return torch.from_numpy(nnls(root.T.numpy(), target.numpy())[0])


def slope_of(forms: Sequence[Forms], shares: Tensor) -> float:
    """Of the genes on left-out predictions of the whole, within `SLOPES`; 1 without any."""
    mixed = [form.mixed(shares) for form in forms]
    squares = sum(float(own.sum()) for own, _ in mixed)
    if squares < TINY:
        return 1.0
    slope = sum(float(cross.sum()) for _, cross in mixed) / squares
    return min(max(slope, SLOPES[0]), SLOPES[1])


def standardised(sums: RidgeSums, mean_x: Tensor, mean_y: Tensor, spread: Tensor) -> RidgeSums:
    """The same spots: inputs less `mean_x` (d,), targets less `mean_y`, over `spread` (g,)."""
    n = sums.n
    x = sums.x - n * mean_x
    y = sums.y - n * mean_y
    yy = sums.yy - mean_y * (2 * sums.y - n * mean_y)
    xx = sums.xx - torch.outer(mean_x, sums.x) - torch.outer(x, mean_x)
    xy = sums.xy - torch.outer(mean_x, sums.y) - torch.outer(x, mean_y)
    return RidgeSums(n, x, y / spread, yy / spread.square(), xx, xy / spread)


def programmes(weights: Tensor, gram: Tensor, most: int) -> tuple[Tensor, Tensor]:
    """Strongest directions over genes of what the weights fit, (k, g), and their strengths, (k,).

    With X the inputs, gram = X^T X (d, d) and weights W (d, g), these are the first k <= most right
    singular vectors and the singular values of X W, read off the smaller of the products of X W.
    """
    if len(gram) >= weights.shape[1]:
        strengths, vectors = largest(weights.T @ gram @ weights, most)
        return vectors.T, strengths
    values, axes = torch.linalg.eigh(gram)
    fitted = values.clamp(min=0).sqrt()[:, None] * (axes.T @ weights)
    strengths, vectors = largest(fitted @ fitted.T, most)
    return vectors.T @ fitted / strengths.clamp(min=TINY)[:, None], strengths


def largest(symmetric: Tensor, most: int) -> tuple[Tensor, Tensor]:
    """Roots of the largest eigenvalues (k,), in falling order, and their vectors (n, k)."""
    n = len(symmetric)
    values, vectors = eigh(symmetric.numpy(), subset_by_index=(max(n - most, 0), n - 1))
    squares = torch.from_numpy(values[::-1].copy())
    return squares.clamp(min=0).sqrt(), torch.from_numpy(vectors[:, ::-1].copy())


def kept_parts(strengths: Tensor, rank: int) -> Tensor:
    """The part 1 - (s_{rank+1} / s_j)^2 of direction j that is kept, (k,) with k <= rank."""
    first = strengths[:rank]
    noise = strengths[rank] if len(strengths) > rank else strengths.new_zeros(())
    return torch.where(first > TINY, 1 - (noise / first.clamp(min=TINY)).square(), 0.0)


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
