"""A small vision transformer with random weights: for tests, and as a check of robustness."""

from typing import Any

import torch
from torch import Tensor, nn

from hespotex.encoders.torch_encoder import TorchEncoder


class RandomViTEncoder(TorchEncoder):
    """Random weights by seed; see `TorchEncoder` for the rest."""

    def __init__(
        self, seed: int = 0, width: int = 64, depth: int = 2, token_px: int = 16, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.seed = seed
        self.width = width
        self.depth = depth
        self.token_px = token_px

    def identity(self) -> dict[str, Any]:
        """The seed and sizes stand for the weights, of which there is no file."""
        own = {
            "seed": self.seed,
            "width": self.width,
            "depth": self.depth,
            "token_px": self.token_px,
        }
        return super().identity() | own

    def build(self) -> nn.Module:
        """(n, 3, px, px) -> (n, 2 width): mean and spread of the tokens; torch's generator stays as
        it was.
        """
        with torch.random.fork_rng():
            torch.manual_seed(self.seed)
            return _ViT(self.width, self.depth, self.token_px)


class _ViT(nn.Module):
    def __init__(self, width: int, depth: int, token_px: int) -> None:
        super().__init__()
        self.tokens = nn.Conv2d(3, width, token_px, stride=token_px)
        layer = nn.TransformerEncoderLayer(
            width, 4, 2 * width, dropout=0.0, batch_first=True, norm_first=True
        )
        self.blocks = nn.TransformerEncoder(layer, depth, enable_nested_tensor=False)

    def forward(self, pixels: Tensor) -> Tensor:
        tokens = self.blocks(self.tokens(pixels).flatten(2).transpose(1, 2))
        return torch.cat([tokens.mean(1), tokens.std(1)], dim=1)
