"""Tokens to embeddings."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hespotex.common.errors import InputError
from hespotex.encoders.pooling import POOLINGS, check_pooling, pool_tokens


def grid(side: int, n_prefix: int) -> torch.Tensor:
    """Tokens (1, n_prefix + side * side, 2) that hold their own row and column; the prefix holds
    -1.
    """
    rows, columns = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    places = torch.stack([rows.flatten(), columns.flatten()], dim=1).float()
    return torch.cat([-torch.ones(n_prefix, 2), places])[None]


@settings(deadline=None, database=None)
@given(side=st.integers(1, 20), n_prefix=st.integers(0, 9))
def test_means_lie_in_the_middle_and_leave_the_prefix_out(side: int, n_prefix: int) -> None:
    tokens = grid(side, n_prefix)
    for pooling in ("mean", "centre"):
        torch.testing.assert_close(
            pool_tokens(tokens, n_prefix, pooling), torch.full((1, 2), (side - 1) / 2)
        )


@settings(deadline=None, database=None)
@given(side=st.integers(2, 20))
def test_centre_sees_no_token_outside_the_middle(side: int) -> None:
    tokens = grid(side, 1)
    outside = ((tokens < side // 4) | (tokens >= side - side // 4)).any(-1, keepdim=True)
    changed = torch.where(outside, torch.nan, tokens)
    torch.testing.assert_close(pool_tokens(changed, 1, "centre"), pool_tokens(tokens, 1, "centre"))


def test_centre_of_a_112_um_patch_is_a_spot() -> None:
    """16 x 16 tokens of 7 um: rows 4 to 11 are 56 um."""
    tokens = torch.zeros(1, 257, 1)
    tokens[0, 1:] = ((grid(16, 0) >= 4) & (grid(16, 0) < 12)).all(-1, keepdim=True).float()
    assert pool_tokens(tokens, 1, "centre").item() == 1
    assert pool_tokens(tokens, 1, "mean").item() == pytest.approx(0.25)


def test_class_token_alone_and_beside_the_mean() -> None:
    tokens = grid(4, 5)
    tokens[0, 0] = 7
    assert pool_tokens(tokens, 5, "cls").tolist() == [[7, 7]]
    assert pool_tokens(tokens, 5, "cls_mean").tolist() == [[7, 7, 1.5, 1.5]]


def test_mean_and_spread_of_the_image_s_tokens() -> None:
    tokens = torch.tensor([[[9.0], [1.0], [3.0]]])
    assert pool_tokens(tokens, 1, "mean_std").tolist() == [[2, 1]]


def test_refusals() -> None:
    assert [check_pooling(pooling, True) for pooling in POOLINGS] == list(POOLINGS)
    with pytest.raises(InputError, match="expected cls, mean, cls_mean, mean_std, centre"):
        check_pooling("max", True)
    with pytest.raises(InputError, match="no class token; set mean or centre"):
        check_pooling("cls_mean", False)
