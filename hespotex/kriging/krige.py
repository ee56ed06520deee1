"""The image's prediction, put right by what measured spots say of its error around them."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from sklearn.gaussian_process import GaussianProcessRegressor

from hespotex.batches.cut import split
from hespotex.common.progress import progress
from hespotex.kriging.choice import Trials, choose, try_all
from hespotex.kriging.field import NOTHING, Array, Field
from hespotex.kriging.left_out import Numbers
from hespotex.kriging.prior import Prior
from hespotex.kriging.programmes import programmes
from hespotex.kriging.settings import Settings
from hespotex.kriging.spots import MeasuredSpots

SPOTS_A_DIRECTION = 10  # measured spots that a direction of the errors takes
PARTS = 4  # of very many measured spots that are looked at to choose
AT_ONCE = 4096  # positions
MOST = 1000  # spots whose predictions show the programmes


@dataclass(frozen=True)
class Kriged:
    """What image and measured spots say together of n positions.

    `expression` (n, n_genes); `error` (n, n_genes), its standard error for what a spot of usual
    depth would read there; `informed` (n,), from 0, where the image is alone, towards 1, where the
    measured spots leave nothing open of the fields that were chosen.
    """

    expression: Array
    error: Array
    informed: Array


class Kriging:
    """Gaussian processes on what an image model gets wrong: one for each programme, and one, with
    a field of its own for every gene, on what the programmes leave.

    A programme is a direction of gene space. Its field (how far it reaches, how strong it is) is
    chosen by leaving compact blocks of the measured spots out, together with a prior where one was
    learned; without one, the image stays alone where no field is clearly better than none. The
    noise of a spot falls with its depth. Far from all measured spots the prediction is the image's.

    Args:
        spots: measured.
        spread: unit of each gene in which errors are weighed, (n_genes,).
        settings: see there.
        image: what the image says of the whole slide, (n, n_genes), whose directions are the
          programmes; None for that of the measured spots.
        prior: see there.
    """

    def __init__(
        self,
        spots: MeasuredSpots,
        spread: Array,
        settings: Settings,
        image: Array | None = None,
        prior: Prior | None = None,
    ) -> None:
        self.spots = spots
        self.spread = spread
        self.settings = settings
        predicted = spots.predicted / spread
        residual = spots.expression / spread - predicted
        n_error = min(settings.error_programmes, len(spots) // SPOTS_A_DIRECTION)
        of_image = predicted if image is None else evenly(image) / spread
        n_image = settings.image_programmes
        self.axes = programmes(of_image, residual, n_image, 0 if prior else n_error)
        scores = residual @ self.axes.T
        self.values = np.concatenate([scores, residual - scores @ self.axes], axis=1)
        k = len(self.axes)
        self.groups = [*(slice(i, i + 1) for i in range(k)), slice(k, self.values.shape[1])]
        self.trials = self._try()
        own = prior.of_programmes(k) if prior else None
        self.chosen = choose(self.trials, self.groups, len(spots), settings.cautious, own)

    def _try(self) -> Trials:
        settings = self.settings
        numbers = np.arange(len(self.spots))
        regions = split(self.spots.pos, numbers, -(-len(numbers) // settings.most))
        looked_at = regions[:: -(-len(regions) // PARTS)]
        blocks = [
            split(self.spots.pos, region, min(settings.blocks, len(region))) for region in looked_at
        ]
        return try_all(
            self.spots.pos, self.spots.noise, self.values, self.groups, settings.fields(), blocks
        )

    @property
    def used(self) -> list[bool]:
        """Of each programme, and last of the rest: whether the measured spots play a part."""
        return [chosen.field != NOTHING for chosen in self.chosen]

    def at(self, pos: Array, predicted: Array) -> Kriged:
        """At n positions (n, 2), um, of which the image says `predicted` (n, n_genes)."""
        result = Kriged(predicted.copy(), np.empty_like(predicted), np.zeros(len(pos)))
        for tile in progress(self._tiles(pos), "tile", "kriging"):
            error, variance = self._fields(pos[tile])
            k = len(self.axes)
            if any(self.used):
                change = error[:, :k] @ self.axes + error[:, k:]
                result.expression[tile] += change * self.spread
            result.error[tile] = np.sqrt(self._variances(variance + 1)) * self.spread
            result.informed[tile] = self._informed(variance)
        return result

    def _tiles(self, pos: Array) -> list[Numbers]:
        """Compact parts of the positions, small where there are more measured spots than one
        factorisation takes.
        """
        n = len(pos)
        most = self.settings.most
        crowded = -(-4 * (n + len(self.spots)) // most) if len(self.spots) > most else 1
        return split(pos, np.arange(n), min(n, max(crowded, -(-n // AT_ONCE)))) if n else []

    def _fields(self, pos: Array) -> tuple[Array, Array]:
        """Mean (n, q) of all columns' fields at positions that lie together, and variance
        (n, n_groups) of each group's, in units of its noise.
        """
        mean = np.zeros((len(pos), self.values.shape[1]))
        variance = np.zeros((len(pos), len(self.groups)))
        away = np.linalg.norm(self.spots.pos - pos.mean(axis=0), axis=1)
        near = np.sort(np.argsort(away, kind="stable")[: self.settings.most])
        for field in dict.fromkeys(chosen.field for chosen in self.chosen):
            groups = [i for i, chosen in enumerate(self.chosen) if chosen.field == field]
            if field != NOTHING:
                columns = np.concatenate(
                    [np.arange(self.values.shape[1])[self.groups[i]] for i in groups]
                )
                mean[:, columns], spread = self._field(field, near, columns, pos)
                variance[:, groups] = spread[:, None]
        return mean, variance

    def _field(
        self, field: Field, near: Numbers, columns: Numbers, pos: Array
    ) -> tuple[Array, Array]:
        """Of the columns that share a field: mean (n, n_columns) and variance (n,)."""
        process = GaussianProcessRegressor(
            field.kernel(), alpha=self.spots.noise[near], optimizer=None
        )
        process.fit(self.spots.pos[near], self.values[np.ix_(near, columns)])
        mean, std = process.predict(pos, return_std=True)
        return mean.reshape(len(pos), -1), std.reshape(len(pos), -1)[:, 0] ** 2

    def _variances(self, variance: Array) -> Array:
        """In squares of `spread`, (n, n_genes), of those in units of noise, (n, n_groups)."""
        noise = np.array([chosen.noise[0] for chosen in self.chosen[:-1]])
        k = len(noise)
        return (variance[:, :k] * noise) @ self.axes**2 + variance[:, k:] * self.chosen[-1].noise

    def _informed(self, variance: Array) -> Array:
        """How much of the fields' variance the measured spots have taken away, (n,)."""
        noise = np.array([chosen.noise.sum() for chosen in self.chosen])
        prior = np.array([chosen.field.variance for chosen in self.chosen])
        whole = float(noise @ prior)
        return 1 - variance @ noise / whole if whole else np.zeros(len(variance))


def evenly(image: Array) -> Array:
    """At most `MOST` of the rows, spread over all."""
    return image[:: -(-len(image) // MOST)]


def learn(sections: Iterable[MeasuredSpots], spread: Array, settings: Settings) -> Prior:
    """The prior of sections that were measured all over, and predicted by a model that had not seen
    them.

    Args:
        sections: one or more; they may come one at a time, as only what each says is kept.
        spread: see `Kriging`.
        settings: see there.
    """
    own = replace(settings, error_programmes=0, cautious=False)
    squares: list[Array] = []
    noise: list[Array] = []
    n_spots: list[int] = []
    for spots in sections:
        trials = Kriging(spots, spread, own).trials
        squares.append(trials.squares.sum(axis=1))
        noise.append(trials.noise)
        n_spots.append(len(spots))
    return Prior.of(squares, noise, n_spots)
