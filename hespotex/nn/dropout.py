"""Dropout whose masks cost little on a CPU, where drawing them is a third of a step with torch's
own.
"""

import torch
from torch import Tensor, nn

LEVELS = 256  # of a random byte


class Dropout(nn.Module):
    """Zero each number with probability p and scale the others, while training; p is kept to the
    next of 256 levels.

    Args:
        p: 0 to 1, not included.
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        if not 0 <= p < 1:
            raise ValueError(f"dropout: expected a probability from 0 to below 1, got {p}")
        self.kept = max(1, round(LEVELS * (1 - p)))  # levels

    def forward(self, x: Tensor) -> Tensor:
        """Any shape; unchanged in evaluation, and torch's own dropout on a GPU."""
        if not self.training or self.kept == LEVELS:
            return x
        if x.is_cuda:
            return nn.functional.dropout(x, 1 - self.kept / LEVELS)
        # eight bytes a draw
        words = torch.empty(-(-x.numel() // 8), dtype=torch.int64).random_(-(2**63), None)
        mask = words.view(torch.uint8)[: x.numel()].view(x.shape) < self.kept
        return x * mask * (LEVELS / self.kept)
