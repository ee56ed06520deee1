"""What a metric must do."""

import numpy as np
import torch
from torch import Tensor

from hespotex.metrics import Layout, Metric, Raster, own_metrics
from hespotex.testing.expect import expect

SIDE = 6
N_GENES = 5


def check_metric(metric: Metric) -> None:
    """Ask it for a section of 36 spots and 5 genes, one of which nobody measured to vary.

    Raises:
        AssertionError: something else than a number, or one for each gene; numbers that change when
          the genes are asked in another order; or inputs that were written to.
    """
    predicted, measured, layout = _section()
    copies = predicted.clone(), measured.clone()
    per_gene, row = own_metrics({"metric": metric}, predicted, measured, layout, ())
    untouched = torch.equal(copies[0], predicted) and torch.equal(copies[1], measured)
    expect(untouched, "the prediction or the measurement was written to")
    expect(bool(np.isfinite(row["metric"])), f"expected a number, found {row['metric']}")
    order = torch.tensor([4, 2, 0, 1, 3])
    turned, other = own_metrics(
        {"metric": metric}, predicted[:, order], measured[:, order], layout, ()
    )
    same = np.isclose(row["metric"], other["metric"])
    expect(bool(same), "another number for the same genes in another order")
    if per_gene:
        moved = per_gene["metric"][order.numpy()]
        equal = np.allclose(turned["metric"], moved, equal_nan=True)
        expect(equal, "a gene's number depends on the genes beside it")


def _section() -> tuple[Tensor, Tensor, Layout]:
    rng = np.random.default_rng(0)
    row, column = np.divmod(np.arange(SIDE**2), SIDE)
    measured = rng.gamma(2.0, size=(SIDE**2, N_GENES))
    measured[:, 3] = 1.0
    predicted = measured + rng.normal(scale=0.5, size=measured.shape)
    pos = np.stack([column, row], axis=1).astype(float)
    edges = np.stack([np.roll(np.arange(SIDE**2), 1), np.arange(SIDE**2)])
    layout = Layout(Raster.of(pos, 1.0), edges)
    return torch.from_numpy(predicted).float(), torch.from_numpy(measured).float(), layout
