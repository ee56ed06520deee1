"""Numbers that are none do not become a result."""

import math

import pytest
import torch

from hespotex.common.errors import InputError
from hespotex.results.finite import check_finite, check_scores


@pytest.mark.parametrize("value", [math.inf, -math.inf])
def test_an_infinite_score_is_refused(value: float) -> None:
    with pytest.raises(InputError, match=r"^A: .* the score mine, found -?inf; .*NaN"):
        check_scores([{"section_id": "A", "pcc_gene": 0.5, "mine": value}])


def test_a_score_without_a_value_is_kept() -> None:
    check_scores([{"section_id": "A", "n_spots": 3, "pcc_gene": math.nan}])


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan])
def test_predictions_that_are_not_finite_are_refused(value: float) -> None:
    with pytest.raises(InputError, match=r"^A: 1 of 2 predicted values are not finite"):
        check_finite({"A": torch.tensor([[1.0, value]])}, "train it again")
