"""Losses agree with scipy, row by row."""

import numpy as np
import pytest
import torch
from scipy.stats import pearsonr
from torch import Tensor

from hespotex.nn.losses import latent_alignment, mean_squared_error, row_pearson


@pytest.fixture
def pair() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    a = torch.randn(12, 7, generator=generator) * 3 + 5
    return a, a + torch.randn(12, 7, generator=generator)


def scipy_rows(a: Tensor, b: Tensor) -> list[float]:
    return [
        float(pearsonr(x, y).statistic)
        for x, y in zip(a.double().numpy(), b.double().numpy(), strict=True)
    ]


def test_against_scipy(pair: tuple[Tensor, Tensor]) -> None:
    a, b = pair
    np.testing.assert_allclose(row_pearson(a, b), scipy_rows(a, b), atol=1e-5)
    assert latent_alignment(a, b).item() == pytest.approx(1 - np.mean(scipy_rows(a, b)), abs=1e-5)


def test_limits(pair: tuple[Tensor, Tensor]) -> None:
    a = pair[0]
    assert latent_alignment(a, 2 * a + 1).item() == pytest.approx(0, abs=1e-5)
    assert latent_alignment(a, -a).item() == pytest.approx(2, abs=1e-5)


def test_squared_error_leaves_out_what_was_not_measured() -> None:
    """From the mean and from the gradient: a NaN that is multiplied by 0 is NaN."""
    predicted = torch.tensor([[1.0, 7.0], [3.0, 5.0]], requires_grad=True)
    measured = torch.tensor([[0.0, torch.nan], [1.0, 3.0]])
    loss = mean_squared_error(predicted, measured)
    loss.backward()  # type: ignore[no-untyped-call]
    assert loss.item() == 3
    assert predicted.grad is not None
    torch.testing.assert_close(predicted.grad, torch.tensor([[2.0, 0.0], [4.0, 4.0]]) / 3)
