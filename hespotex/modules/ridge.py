"""Ridge regression in the same harness: on the embeddings, and on what is no image at all."""

import logging
import math
import operator
from collections.abc import Iterable, Mapping, Sequence
from functools import reduce

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch_geometric.data import Batch

from hespotex.batches.fold import Fold
from hespotex.common.numerics.principal import principal_components
from hespotex.common.progress import progress
from hespotex.modules.base import counted
from hespotex.modules.closed_form import ClosedFormModule
from hespotex.modules.linear import add_up
from hespotex.nn.late_fusion import Pairs, columns_of, fusion_shares, side_by_side
from hespotex.nn.ridge import Biased, NeighbourRidge, RidgeSums

log = logging.getLogger(__name__)
Sums = Mapping[str, RidgeSums]  # by section


class RidgeModule(ClosedFormModule):
    """Ridge regression on all training spots, its penalty chosen by gene-wise Pearson.

    Of several encoders each has a regression of its own, and their predictions are mixed by shares
    that are chosen where the penalty is; see `hespotex.nn.late_fusion`.

    `by_encoder`: whether what is regressed on is the embedding.

    Args:
        alphas: penalties to choose from, for inputs of unit variance: on the validation sections;
          without these by leaving each training section out in turn (of more than 40 several
          together); with one training section the middle penalty is taken.
        neighbours: append the mean input of the neighbouring spots.
    """

    by_encoder = True

    def __init__(
        self, d_image: int, n_genes: int, alphas: list[float], neighbours: bool = False
    ) -> None:
        super().__init__(d_image, n_genes)
        self.alphas = sorted(alphas)
        self.neighbours = neighbours
        self.widths = [self.width(d_image)]  # of the encoders
        self.linear = NeighbourRidge(self.width(d_image), n_genes, neighbours)

    def width(self, d_image: int) -> int:
        """Of `inputs`."""
        return d_image

    def inputs(self, batch: Batch) -> Tensor:
        """What is regressed on, (n_spots, width)."""
        x: Tensor = batch.image_embedding
        return x

    @property
    def n_hops(self) -> int:
        """1 where the mean of the neighbours is appended, else 0."""
        return int(self.linear.neighbours)

    def of_genes(self, n_genes: int) -> "RidgeModule":
        """A ridge of the same class, penalties and inputs, not fitted."""
        return type(self)(self.d_image, n_genes, self.alphas, self.neighbours)

    def take(self, own: "RidgeModule", genes: Tensor) -> None:
        """The mean of the inputs that the other was fitted with goes into the bias."""
        self.linear.weight[:, genes] = own.linear.weight
        self.linear.bias[genes] = -own.linear.mean @ own.linear.weight

    def fit_genes(self, fold: Fold) -> None:
        """As the parent, once it is known which columns are those of each encoder."""
        if self.by_encoder:
            self.widths = [sum(widths) for _, widths in fold.sources()]
        super().fit_genes(fold)

    def fit_closed_form(self, train: Iterable[Batch], val: Iterable[Batch]) -> None:
        """Choose the penalties on what `left_out` gives, then fit on all training sections."""
        ours, held_out = (
            add_up(self._regressors, batches, self.part_of) for batches in (train, val)
        )
        whole = _total(ours.values())
        self.linear.take(whole, self._weights(whole, left_out(ours, held_out)))

    def _weights(self, whole: RidgeSums, pairs: Pairs) -> Tensor:
        """Of all inputs, (d, n_genes): what each encoder's ridge has, times its share."""
        if len(self.widths) == 1:
            return whole.weights(best_penalty(self.alphas, pairs))
        columns = columns_of(self.widths, 1 + self.neighbours)
        penalties = [best_penalty(self.alphas, of_inputs(pairs, own)) for own in columns]

        def ridges(sums: RidgeSums) -> Tensor:
            return side_by_side(sums, columns, penalties)

        shares = fusion_shares(pairs, ridges, len(columns))
        log.info("shares of the encoders %s, penalties %s", shares.tolist(), penalties)
        return torch.einsum("i,idg->dg", shares, ridges(whole))

    def _regressors(self, batch: Batch) -> Tensor:
        return self.linear.inputs(self.inputs(batch), batch.edge_index)[batch.inner]

    def expression(self, batch: Batch) -> Tensor:
        """Linear in `inputs`, around the training mean of each gene, (n_inner, n_genes)."""
        return self.linear(self.inputs(batch), batch.edge_index, batch.inner) + self.gene_mean


def _total(sums: Iterable[RidgeSums]) -> RidgeSums:
    return reduce(operator.add, sums)


def of_inputs(pairs: Pairs, columns: Tensor) -> Pairs:
    """The same for some of the inputs."""
    return [(train.of_inputs(columns), test.of_inputs(columns)) for train, test in pairs]


def left_out(ours: Sums, held_out: Sums) -> list[tuple[RidgeSums, RidgeSums]]:
    """All training sections and each validation section; without these, the training sections but
    one, and that one; nothing for a single section.
    """
    whole = _total(ours.values())
    if held_out:
        return [(whole, section) for section in held_out.values()]
    return [(whole - section, section) for section in ours.values()] if len(ours) > 1 else []


def best_penalty(alphas: Sequence[float], pairs: Pairs) -> float:
    """The penalty with which the first of each pair predicts the second best; the middle one
    without pairs.
    """
    scores = {}
    for alpha in progress(alphas if pairs else [], "penalty", "ridge"):
        each = torch.stack([test.pearson(train.weights(alpha)).nanmean() for train, test in pairs])
        scores[alpha] = float(each.nanmean())
    known = {alpha: score for alpha, score in scores.items() if not math.isnan(score)}
    return max(known, key=known.__getitem__, default=alphas[len(alphas) // 2])


class CoordinatesModule(RidgeModule):
    """Control without an image: a polynomial of degree 4 in the spot's place, x and y standardised
    over the section.

    What it reaches comes from sections that lie alike on their slides, and from borders that look
    like borders.
    """

    by_encoder = False
    degree = 4

    def width(self, d_image: int) -> int:
        """How many terms the polynomial has: 14 of degree 4."""
        return len(exponents(self.degree))

    def inputs(self, batch: Batch) -> Tensor:
        """Its terms of the standardised places, (n_spots, 14)."""
        return position_terms(batch.place, self.degree)


class NucleiModule(RidgeModule):
    """Control with one number a spot: log(1 + nuclei count), standardised over the section.

    Log-normalised targets keep a cellularity signal, so what this reaches is no tissue reading yet.
    """

    by_encoder = False

    def width(self, d_image: int) -> int:
        """1, whatever the embedding."""
        return 1

    def inputs(self, batch: Batch) -> Tensor:
        """The standardised count, (n_spots, 1).

        Raises:
            InputError: no nuclei counts.
        """
        return counted(batch, "nuclei_log")


def exponents(degree: int) -> list[tuple[int, int]]:
    """Of the terms x^a y^b, 1 <= a + b <= degree."""
    return [(total - b, b) for total in range(1, degree + 1) for b in range(total + 1)]


def position_terms(place: Tensor, degree: int) -> Tensor:
    """Each term over the root mean square it has where places fill a square evenly.  (n, 2) -> (n,
    n_terms)
    """
    x, y = place.unbind(1)
    return torch.stack(
        [x**a * y**b / (_typical(a) * _typical(b)) for a, b in exponents(degree)], dim=1
    )


def _typical(power: int) -> float:
    """Root mean square of x^power for x even over a range of variance 1."""
    return float(3 ** (power / 2) / (2 * power + 1) ** 0.5)


class HestRidgeModule(Biased, ClosedFormModule):
    """The regression of HEST-Benchmark (Jaume et al. 2024) on this run's targets: scaling, PCA, a
    penalty by formula.

    alpha = 100 / (n_components * n_genes) and no intercept, so targets are centred here. With so
    small a penalty it is least squares on the components; with `alphas` the penalty binds, so that
    a gain over this baseline is no gain over no penalty.

    Args:
        n_components: of the PCA; as many as there are where the embedding or the training set is
          smaller.
        seed: of the PCA.
        alphas: penalties to choose from, as `RidgeModule` does; None takes the formula's.
    """

    mean: Tensor
    weight: Tensor

    def __init__(
        self,
        d_image: int,
        n_genes: int,
        n_components: int = 256,
        seed: int = 1,
        alphas: Sequence[float] | None = None,
    ) -> None:
        super().__init__(d_image, n_genes)
        self.n_components = n_components
        self.seed = seed
        self.alphas = sorted(alphas or [])
        self.register_buffer("mean", torch.zeros(d_image))
        self.register_buffer("weight", torch.zeros(d_image, n_genes))
        self.register_buffer("bias", torch.zeros(n_genes))

    def of_genes(self, n_genes: int) -> "HestRidgeModule":
        """The same settings, not fitted; with fewer genes the formula's penalty is larger."""
        return HestRidgeModule(self.d_image, n_genes, self.n_components, self.seed, self.alphas)

    def take(self, own: "HestRidgeModule", genes: Tensor) -> None:
        """The mean of the inputs that the other was fitted with goes into the bias."""
        self.weight[:, genes] = own.weight
        self.bias[genes] = -own.mean @ own.weight

    def fit_closed_form(self, train: Iterable[Batch], val: Iterable[Batch]) -> None:
        """Scale, project and fit in double precision, from sums."""
        projection = principal_components(lambda: map(_rows, train), self.n_components, self.seed)

        def components(batch: Batch) -> Tensor:
            return torch.from_numpy(projection(_rows(batch)))

        ours, held_out = (add_up(components, batches, self.part_of) for batches in (train, val))
        alpha = 100 / (len(projection.axes) * self.n_genes)
        if self.alphas:
            alpha = best_penalty(self.alphas, left_out(ours, held_out))
        fitted = _total(ours.values()).weights(alpha)
        self.mean.copy_(torch.from_numpy(projection.mean))
        self.weight.copy_(torch.from_numpy(projection.weight) @ fitted)

    def expression(self, batch: Batch) -> Tensor:
        """Scaling, PCA and regression as one product, (n_inner, n_genes)."""
        x = batch.image_embedding[batch.inner] - self.mean
        return x @ self.weight + self.bias + self.gene_mean


def _rows(batch: Batch) -> NDArray[np.float32]:
    """Embeddings of the spots of a batch, (n_inner, d_image)."""
    rows: NDArray[np.float32] = batch.image_embedding[batch.inner].numpy()
    return rows
