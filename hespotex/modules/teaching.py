"""What a teacher says of the training counts, as the target of a fold; see
`hespotex.genes.denoised`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
from scipy import sparse

from hespotex.batches.fold import Fold
from hespotex.common.errors import InputError
from hespotex.genes.denoised import DenoisedTarget, Programmes, most_spots
from hespotex.genes.target import Numbers
from hespotex.nn.committee import quarters

Parts = Mapping[str, str] | None  # of sections, see `part_names`


def check_programmes(programmes: Sequence[int]) -> None:
    """Numbers of programmes to choose from.

    Raises:
        InputError: none, or one below 1.
    """
    if not programmes or any(not isinstance(k, int) or k < 1 for k in programmes):
        raise InputError(f"model.module.programmes: expected numbers from 1, got {programmes}")


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
        programmes: to choose from, that the counts are factorised into.
        seed: of the spots that programmes are learned from, and of their factorisation.
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
