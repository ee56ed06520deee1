"""Metrics that a user brings along: asked for each test section, beside those of this package."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from hespotex.common.errors import InputError
from hespotex.metrics.section import Layout, PerGene, Row, known, mean


class Metric(Protocol):
    """Says how good a prediction is."""

    def __call__(self, predicted: Tensor, measured: Tensor, layout: Layout) -> ArrayLike:
        """Of one section, (n_spots, n_genes) twice -> (n_genes,), NaN for genes without a value; or
        one number.
        """
        ...


def own_metrics(
    metrics: Mapping[str, Metric],
    predicted: Tensor,
    measured: Tensor,
    layout: Layout,
    taken: Sequence[str],
) -> tuple[PerGene, Row]:
    """What they say of each gene, and of the section: there the mean over the genes that have a
    value.

    Args:
        taken: names that are taken.

    Raises:
        InputError: a name that is taken, or something else than one number or one number a gene.
    """
    per_gene: PerGene = {}
    row: Row = {}
    for name, metric in metrics.items():
        if name in taken:
            raise InputError(
                f"metrics.{name}: this name is taken by a metric of HESpotEx; choose another"
            )
        values = _numbers(name, metric(predicted, measured, layout), predicted.shape[1])
        row[name] = mean(known(np.atleast_1d(values)))
        per_gene |= {name: values} if values.ndim else {}
    return per_gene, row


def _numbers(name: str, result: ArrayLike, n_genes: int) -> NDArray[np.float64]:
    try:
        values = np.asarray(result, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(
            f"metrics.{name}: expected numbers, got {type(result).__name__}"
        ) from error
    if values.shape not in ((), (n_genes,)):
        raise InputError(
            f"metrics.{name}: expected one number, or one for each of {n_genes} genes, got"
            f" {values.shape}"
        )
    return values
