"""Dropout keeps the mean, its share, and quiet while predicting."""

import pytest
import torch

from hespotex.nn.dropout import Dropout


@pytest.mark.parametrize("p", [0.0, 0.2, 0.4, 0.9])
def test_share_and_mean(p: float) -> None:
    torch.manual_seed(0)
    x = torch.ones(500, 1001)
    found = Dropout(p)(x)
    assert (found == 0).float().mean().item() == pytest.approx(p, abs=0.004)
    assert found.mean().item() == pytest.approx(1, abs=0.02)
    assert found.unique().numel() == (2 if p else 1)


def test_columns_and_rows_are_dropped_alike() -> None:
    torch.manual_seed(0)
    dropped = (Dropout(0.4)(torch.ones(2000, 64)) == 0).float()
    assert (dropped.mean(0) - 0.4).abs().max() < 0.06
    assert torch.corrcoef(dropped.T).fill_diagonal_(0).abs().max() < 0.12


def test_seeded_and_quiet_while_predicting() -> None:
    x = torch.randn(7, 5)
    dropout = Dropout(0.5)
    torch.manual_seed(1)
    first = dropout(x)
    torch.manual_seed(1)
    assert torch.equal(dropout(x), first)
    assert torch.equal(dropout.eval()(x), x)
    with pytest.raises(ValueError, match="got 1"):
        Dropout(1.0)
