"""Which regressions a committee has, what they look at, and what is left out to choose."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from hespotex.common.numerics.sparse import Edges

Ranks = tuple[int | None, ...]
RANKS: Ranks = (4, 8, 12, 16, None)  # programmes that genes share; None: every gene for itself
MOST_PARTS = 6  # more groups or sections are joined: a choice needs no more, and each costs a fit


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
