"""Two committees of the same inputs as one: the share of the second is chosen on left-out parts."""

from collections.abc import Sequence

import torch
from torch import Tensor

from hespotex.nn.committee.fit import Fitted, mean_score
from hespotex.nn.committee.shares import Forms, slope_of


def both(share: float) -> Tensor:
    """Shares of the first and of the second, (2,)."""
    return torch.tensor([1 - share, share], dtype=torch.float64)


def second_share(
    forms: Sequence[Forms], shares: Sequence[float]
) -> tuple[float, dict[float, float]]:
    """The share of the second with which both together predict the left-out parts best, and the
    score of each share: mean gene-wise Pearson, NaN where there are no parts.

    The smallest of several that are as good; where nothing was left out, the smallest of all.

    Args:
        forms: of the two, on each left-out part.
        shares: to choose from.
    """
    scores = {
        share: mean_score(float(form.pearson(both(share)).nanmean()) for form in forms)
        for share in sorted(shares)
    }
    known = {share: score for share, score in scores.items() if score == score}
    return max(known, key=known.__getitem__, default=min(scores)), scores


def mixed(first: Fitted, second: Fitted, share: float, forms: Sequence[Forms]) -> Fitted:
    """Both as one linear map, with the slope that their left-out predictions ask for.

    Args:
        first, second: the second in whatever slope it has; `first.members` are kept.
        share: of the second; 0 gives the first as it is.
        forms: of the two on each left-out part, both of slope 1.
    """
    if share == 0:
        return first
    slope = slope_of(forms, both(share))
    one = (1 - share) * slope / first.slope
    other = share * slope / second.slope
    weight = one * first.weight + other * second.weight
    bias = one * first.bias + other * second.bias
    score = mean_score(float(form.pearson(both(share)).nanmean()) for form in forms)
    return Fitted(weight, bias, first.members, score, slope)
