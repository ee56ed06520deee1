"""Which field each programme gets, by what it says of blocks of measured spots that were left
out.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hespotex.common.progress import progress
from hespotex.kriging.field import NOTHING, Array, Field
from hespotex.kriging.left_out import LeftOut, Numbers, leave_out
from hespotex.kriging.prior import Prior

# standard errors over the blocks by which fields must be better than simpler ones: that of a
# programme, and those of all programmes together
EACH = 1.0
TOGETHER = 2.0
FEWEST = 5  # blocks that say anything of chance


@dataclass(frozen=True)
class Chosen:
    """The field of one group of columns.

    `gain`: share of the squared error of the left-out spots that it takes away, against the image
    alone; 0 where that is what was chosen. `noise`: variance of a spot of usual depth, (q,), so
    that errors of left-out spots are as large as was expected of them.
    """

    field: Field
    gain: float
    noise: Array


@dataclass(frozen=True)
class Trials:
    """What every field has said of the left-out spots.

    `squares`: squared errors over the noise, (n_fields, n_blocks, n_groups); `noise`: what fits the
    errors of each column, (n_fields, q). The first field is none.
    """

    fields: list[Field]
    squares: Array
    noise: Array

    def clearly_best(self) -> Numbers:
        """The best field of the simplest kind that no further kind is clearly better than,
        (n_groups,).
        """
        picked = np.zeros(self.squares.shape[2], dtype=np.int64)
        kinds = [field.simplicity for field in self.fields]
        for kind in sorted(set(kinds[1:])):
            among = [i for i, other in enumerate(kinds) if other == kind]
            gains = self.gains(picked, among)
            better = np.concatenate([passes(gains[:, :-1]), passes(gains[:, -1:])])
            picked = np.where(better, self.best(among), picked)
        return picked

    def best(self, among: list[int]) -> Numbers:
        """The field of the smallest error for each group, (n_groups,)."""
        return np.array(among)[self.squares[among].sum(axis=1).argmin(axis=0)]

    def gains(self, than: Numbers, among: list[int]) -> Array:
        """What choosing anew takes away from the errors of each block, (n_blocks, n_groups), where
        the errors of every other block choose: a gain that chance does not favour.
        """
        numbers = np.arange(self.squares.shape[2])
        gains = self.squares[than, :, numbers].T.copy()
        for parity in (0, 1):
            chooses = self.squares[among, parity::2].sum(axis=1).argmin(axis=0)
            picked = np.array(among)[chooses]
            gains[1 - parity :: 2] -= self.squares[picked, 1 - parity :: 2, numbers].T
        return gains


def try_all(
    pos: Array,
    noise: Array,
    values: Array,
    groups: Sequence[slice],
    fields: Sequence[Field],
    regions: Sequence[Sequence[Numbers]],
) -> Trials:
    """What each field, and none, says of left-out blocks.

    Args:
        pos: of the measured spots, (m, 2), um.
        noise: of each spot beside that of a usual one, (m,).
        values: errors of the image's prediction, (m, q).
        groups: columns that share a field, the programmes and last what they leave; together every
          column once, in their order.
        fields: to choose from, beside none.
        regions: of the measured spots, each looked at by itself, as the blocks that are left out of
          it in turn.
    """
    return joined(
        [
            try_fields(pos, noise, values, groups, [NOTHING, *fields], blocks)
            for blocks in progress(regions, "part", "fields of the error")
        ]
    )


def choose(
    trials: Trials,
    groups: Sequence[slice],
    m: int,
    cautious: bool = True,
    prior: Prior | None = None,
) -> list[Chosen]:
    """For each group of columns the best field.

    Args:
        trials: of the measured spots.
        groups: as there.
        m: measured spots.
        cautious: without a prior, one that is clearly better than a simpler one.
        prior: of the same fields and groups.
    """
    squares = trials.squares.sum(axis=1)
    noise = trials.noise
    if prior:
        picked = prior.best(squares, m)
        noise = prior.noise_with(noise, m)
    else:
        picked = trials.clearly_best() if cautious else trials.best(list(range(len(squares))))
    return [
        Chosen(trials.fields[i], share_taken(squares[0, group], squares[i, group]), noise[i, own])
        for group, (i, own) in enumerate(zip(picked, groups, strict=True))
    ]


def share_taken(before: float, after: float) -> float:
    """Of a sum of squares; 0 where there is nothing to take away."""
    return float(1 - after / before) if before > 0 else 0.0


def joined(trials: Sequence[Trials]) -> Trials:
    """The blocks of all parts side by side."""
    noise = np.mean([one.noise for one in trials], axis=0)
    squares = np.concatenate([one.squares for one in trials], axis=1)
    return Trials(trials[0].fields, squares, noise)


def passes(gains: Array) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Which groups get better, (n_groups,), by gains of each block (n_blocks, n_groups): none where
    all together do not.
    """
    together = _errors(gains.sum(axis=1, keepdims=True))[0]
    return (_errors(gains) > EACH) & bool(together > TOGETHER)


def _errors(gains: Array) -> Array:
    """Their sum over the blocks, in standard errors of it; 0 where no block gains or loses."""
    if len(gains) < FEWEST:
        return np.zeros(gains.shape[1])
    spread = gains.std(axis=0, ddof=1) * np.sqrt(len(gains))
    return np.asarray(gains.sum(axis=0) / np.where(spread > 0, spread, np.inf))


def try_fields(
    pos: Array,
    noise: Array,
    values: Array,
    groups: Sequence[slice],
    fields: Sequence[Field],
    blocks: Sequence[Numbers],
) -> Trials:
    """Leave the blocks of one part out under each field; arguments as of `choose`."""
    spots = np.concatenate(blocks)
    place = np.empty(len(pos), dtype=np.int64)
    place[spots] = np.arange(len(spots))
    inside = [place[block] for block in blocks]
    pos = pos[spots]
    noise = noise[spots]
    values = values[spots]
    starts = [group.start for group in groups]
    squares = np.empty((len(fields), len(blocks), len(groups)))
    fitting = np.empty((len(fields), values.shape[1]))
    for i, field in enumerate(fields):
        left_out = LeftOut(values, noise)
        if field != NOTHING:
            left_out = leave_out(field.kernel()(pos), noise, values, inside)
        errors = left_out.error**2
        by_group = np.add.reduceat(errors / noise[:, None], starts, axis=1)
        squares[i] = [by_group[block].sum(axis=0) for block in inside]
        fitting[i] = (errors / left_out.variance[:, None]).mean(axis=0)
    return Trials(list(fields), squares, fitting)
