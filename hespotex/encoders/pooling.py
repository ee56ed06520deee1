"""From the tokens of a patch to one embedding."""

from math import isqrt

from torch import Tensor, cat, nn

from hespotex.common.errors import InputError

POOLINGS = ("cls", "mean", "cls_mean", "mean_std", "centre")


def pool_tokens(tokens: Tensor, n_prefix: int, pooling: str) -> Tensor:
    """Pool (n, n_prefix + side * side, d) to (n, d), or (n, 2 d) for "cls_mean" and "mean_std".

    Args:
        tokens: the class token and the registers first, then the tokens of the image row by row.
        n_prefix: class token and registers.
        pooling: "cls" takes the class token, "mean" the mean of the image's tokens, "cls_mean" both
          side by side, "mean_std" their mean and their standard deviation, "centre" the mean of the
          image's tokens in the middle half of the side: of a patch of 112 um the 56 um around the
          centre, about a Visium spot.
    """
    if pooling == "centre":
        return _centre(tokens[:, n_prefix:])
    own = tokens[:, n_prefix:]
    parts = {
        "cls": lambda: tokens[:, 0],
        "mean": lambda: own.mean(1),
        "std": lambda: own.std(1, correction=0),
    }
    return cat([parts[part]() for part in pooling.split("_")], dim=-1)


def _centre(tokens: Tensor) -> Tensor:
    side = isqrt(tokens.shape[1])
    margin = side // 4
    grid = tokens.reshape(len(tokens), side, side, -1)
    return grid[:, margin : side - margin, margin : side - margin].mean((1, 2))


def check_pooling(pooling: str, has_class_token: bool) -> str:
    """`pooling`, if it is known and the network has what it needs.

    Raises:
        InputError: it is not, or there is no class token.
    """
    if pooling not in POOLINGS:
        raise InputError(f"encoder.pooling={pooling}; expected {', '.join(POOLINGS)}")
    if not has_class_token and pooling.startswith("cls"):
        raise InputError(
            f"encoder.pooling={pooling}, but the network has no class token; set mean or centre"
        )
    return pooling


class Pooled(nn.Module):
    """Pixels to tokens by a subclass, tokens to embeddings by `pool_tokens`."""

    def __init__(self, n_prefix: int, pooling: str) -> None:
        super().__init__()
        self.n_prefix = n_prefix
        self.pooling = check_pooling(pooling, n_prefix > 0)

    def tokens(self, pixels: Tensor) -> Tensor:
        """(n, 3, px, px) -> (n, n_prefix + side * side, d)."""
        raise NotImplementedError

    def forward(self, pixels: Tensor) -> Tensor:
        """(n, 3, px, px) -> (n, d), or (n, 2 d) for "cls_mean" and "mean_std"."""
        return pool_tokens(self.tokens(pixels), self.n_prefix, self.pooling)
