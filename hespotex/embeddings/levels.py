"""Mean and spread of the numbers of an embedding: of one slide, and of the training sections."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from hespotex.common.numerics.moments import CONSTANT, moments

Floats = NDArray[np.float64]
Rows = NDArray[np.float32]
LARGEST = 6.0  # standard deviations at which a standardised number is cut
STRENGTHS = (0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0)  # patches, to choose from
# Patches, where no second group tells: the mean of a patient's section then lies half a spread of
# its patches from that of another. Sections of one patient are too alike to tell.
UNTOLD = 4.0
SIZES = (1, 4, 16, 64)  # spots of the pieces of a section that the strength is chosen on
PIECES = 8  # of each size and section
LEAST_SPREAD = 0.01  # of the whole section's, to which that of a piece is raised to compare


class SectionRows(Protocol):
    """Embeddings (n_spots, d) of a section; see `hespotex.embeddings.rows.Embeddings`."""

    def __len__(self) -> int: ...

    def __getitem__(self, spots: NDArray[np.int64]) -> Rows: ...

    def chunks(self) -> Iterator[Rows]:
        """All rows in order, some thousands (n, d) at a time."""
        ...


@dataclass(frozen=True)
class Scale:
    """Mean and standard deviation of each number of an embedding, (d,)."""

    mean: Floats
    std: Floats

    @classmethod
    def of(cls, pieces: Iterable[Rows]) -> "Scale":
        """Over all rows of all pieces (n, d)."""
        return cls(*moments(pieces))

    def __call__(self, rows: Rows) -> Rows:
        """(n, d) to mean 0 and standard deviation 1, cut at 6; what is constant becomes 0."""
        mean = self.mean.astype(np.float32)
        std = np.where(self.std > CONSTANT, self.std, np.inf).astype(np.float32)
        return np.clip((rows - mean) / std, -LARGEST, LARGEST)


@dataclass(frozen=True)
class TrainingScale:
    """What the embeddings of a training section are like.

    Attributes:
        mean: over the sections, of the mean of each, (d,).
        std: within a section: the root of the mean variance, (d,).
        strength: how many of a slide's own patches these two are worth.
    """

    mean: list[float]
    std: list[float]
    strength: float

    @classmethod
    def fit(
        cls,
        sections: Mapping[str, SectionRows],
        pos: Mapping[str, Floats],
        groups: Mapping[str, str],
    ) -> "TrainingScale":
        """From the training sections alone.

        The strength is the one with which small pieces of a section, drawn towards the sections
        of the other groups, come nearest to the whole of it.

        Args:
            sections: embeddings by section id.
            pos: of their spots, (n_spots, 2) um.
            groups: patient of each.
        """
        scales = {name: Scale.of(rows.chunks()) for name, rows in sections.items()}
        errors = np.zeros(len(STRENGTHS))
        for name, rows in sections.items():
            others = [scale for i, scale in scales.items() if groups[i] != groups[name]]
            if others:
                errors += _errors(rows, pos[name], scales[name], together(others))
        strength = STRENGTHS[int(errors.argmin())] if errors.any() else UNTOLD
        whole = together(list(scales.values()))
        return cls(whole.mean.tolist(), whole.std.tolist(), strength)

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> "TrainingScale":
        """As `to_dict` gave it."""
        return cls(list(stored["mean"]), list(stored["std"]), float(stored["strength"]))

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers, as the checkpoint keeps them."""
        return asdict(self)

    @property
    def scale(self) -> Scale:
        """Training's own mean and standard deviation, without any slide's."""
        return Scale(np.array(self.mean), np.array(self.std))

    def share(self, n_patches: int) -> float:
        """Of the slide's own mean and variance in what a slide is standardised by."""
        return 1.0 if self.strength == 0 else n_patches / (n_patches + self.strength)

    def with_own(self, slide: Scale, n_patches: int) -> Scale:
        """By what a slide is standardised: its own scale, drawn towards training's the more, the
        fewer patches it was found on.
        """
        return _between(self.scale, slide, self.share(n_patches))


def together(scales: Sequence[Scale]) -> Scale:
    """Mean of the means, and root of the mean variance."""
    variance = np.mean([scale.std**2 for scale in scales], axis=0)
    return Scale(np.mean([scale.mean for scale in scales], axis=0), np.sqrt(variance))


def _between(training: Scale, slide: Scale, share: float) -> Scale:
    variance = share * slide.std**2 + (1 - share) * training.std**2
    return Scale(share * slide.mean + (1 - share) * training.mean, np.sqrt(variance))


def _errors(rows: SectionRows, pos: Floats, whole: Scale, others: Scale) -> Floats:
    """How far pieces of a section lie from the whole of it with each of `STRENGTHS`, summed."""
    total = np.zeros(len(STRENGTHS))
    for spots in _pieces(pos):
        piece = Scale.of([rows[spots]])
        for i, strength in enumerate(STRENGTHS):
            share = len(spots) / (len(spots) + strength)
            total[i] += _distance(_between(others, piece, share), whole)
    return total


def _pieces(pos: Floats) -> Iterator[NDArray[np.int64]]:
    """Compact pieces, of each size evenly over the spots, none larger than half a section."""
    tree = cKDTree(pos)
    for size in SIZES:
        if 2 * size > len(pos):
            return
        for centre in np.linspace(0, len(pos) - 1, PIECES).astype(int):
            yield np.atleast_1d(tree.query(pos[centre], k=size)[1]).astype(np.int64)


def _distance(estimate: Scale, true: Scale) -> float:
    """Mean over the numbers: squares of the error of the mean, in spreads, and of the log of the
    spread.
    """
    varies = true.std > CONSTANT
    mean = (estimate.mean[varies] - true.mean[varies]) / true.std[varies]
    spread = np.log(np.maximum(estimate.std[varies] / true.std[varies], LEAST_SPREAD))
    return float((mean**2 + spread**2).mean()) if varies.any() else 0.0
