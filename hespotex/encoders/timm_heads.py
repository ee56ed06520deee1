"""Encoders whose published network is a timm architecture with a head, or a stem, of its own."""

import re
from typing import Any

import torch
from torch import Tensor, nn

from hespotex.encoders.timm_encoder import TimmEncoder
from hespotex.encoders.weights import State

POOLED = 768  # numbers of CONCH v1.5's and of KEEP's embedding
HEADS = 8  # of CONCH v1.5's attention
SMALL_GRID = 14  # tokens a side at 224 px, for which CONCH v1.5's network is defined
NUDGE = 0.1  # tokens, which its authors add to the side before they resize positions
STEM = 96  # channels that CTransPath's stem hands on
COMPUTED = ("attn_mask", "relative_position_index")  # of a Swin transformer, stored by old timm


class _Headed(TimmEncoder):
    """What takes no pooling of ours: the network gives the embedding itself."""

    def with_pooling(self, network: nn.Module) -> nn.Module:
        """The network as it is."""
        return network


class ConchV15Encoder(_Headed):
    """CONCH v1.5: a vision transformer whose tokens one learned query attends to.

    Its names and its resizing of positions are those of the authors' network in TRIDENT
    (mahmoodlab on GitHub).

    Args:
        **kwargs: see `TimmEncoder`; `model_kwargs.img_size` is `input_px`.
    """

    def empty_network(self) -> nn.Module:
        """The architecture without its weights."""
        return _Attended(super().empty_network())

    def _named(self, network: Any, state: State) -> State:
        place = "trunk.pos_embed"
        side = network.trunk.patch_embed.grid_size[0]
        return {k: resized(v, side) if k == place else v for k, v in state.items()}


class _Attended(nn.Module):
    def __init__(self, trunk: Any) -> None:
        super().__init__()
        self.trunk = trunk
        self.attn_pool_contrast = _AttentionPooler(trunk.embed_dim)
        self.ln_contrast = nn.LayerNorm(POOLED)

    def forward(self, pixels: Tensor) -> Tensor:
        tokens = self.trunk.forward_features(pixels)
        pooled: Tensor = self.ln_contrast(self.attn_pool_contrast(tokens))
        return pooled


class _AttentionPooler(nn.Module):
    """Tokens (n, n_tokens, d) to what one learned query finds in them, (n, 768)."""

    def __init__(self, d: int) -> None:
        super().__init__()
        self.query = nn.Parameter(torch.zeros(1, POOLED))
        self.ln_k = nn.LayerNorm(d)
        self.ln_q = nn.LayerNorm(POOLED)
        self.to_q = nn.Linear(POOLED, POOLED, bias=False)
        self.to_kv = nn.Linear(d, 2 * POOLED, bias=False)
        self.to_out = nn.Linear(POOLED, POOLED, bias=False)

    def forward(self, tokens: Tensor) -> Tensor:
        query = self.to_q(self.ln_q(self.query)).expand(len(tokens), 1, -1)
        keys, values = self.to_kv(self.ln_k(tokens)).chunk(2, dim=-1)
        heads = (part.unflatten(-1, (HEADS, -1)).transpose(1, 2) for part in (query, keys, values))
        found = nn.functional.scaled_dot_product_attention(*heads)
        out: Tensor = self.to_out(found.transpose(1, 2).flatten(2))
        return out[:, 0]


def resized(positions: Tensor, side: int) -> Tensor:
    """Positions (1, 1 + tokens, d) of another grid for `side` x `side` tokens, as CONCH v1.5's
    authors resize them.
    """
    first, rest = positions[:, :1], positions[:, 1:]
    n = round(rest.shape[1] ** 0.5)
    grid = rest.reshape(len(rest), n, n, -1).permute(0, 3, 1, 2)
    if n != SMALL_GRID:
        grid = nn.functional.interpolate(grid, (SMALL_GRID, SMALL_GRID), mode="bilinear")
    if side != SMALL_GRID:
        scale = (side + NUDGE) / SMALL_GRID
        grid = nn.functional.interpolate(grid, scale_factor=(scale, scale), mode="bicubic")
    return torch.cat([first, grid.flatten(2).transpose(1, 2)], dim=1)


class KeepEncoder(_Headed):
    """KEEP's image tower: a vision transformer's class token through two layers; the text tower
    beside it is left out.

    Args:
        **kwargs: see `TimmEncoder`; with `l2_normalize` as published.
    """

    def empty_network(self) -> nn.Module:
        """The architecture without its weights."""
        return _Projected(super().empty_network())

    def _named(self, network: nn.Module, state: State) -> State:
        """The hub's library once renamed the layers' scales."""
        own = {k: v for k, v in state.items() if k.startswith(("visual.", "visual_head."))}
        return {re.sub(r"\.(ls[12])\.weight$", r".\1.gamma", k): v for k, v in own.items()}


class _Projected(nn.Module):
    def __init__(self, visual: Any) -> None:
        super().__init__()
        self.visual = visual
        self.visual_head = nn.Sequential(
            nn.Linear(visual.num_features, POOLED), nn.GELU(), nn.Linear(POOLED, POOLED)
        )

    def forward(self, pixels: Tensor) -> Tensor:
        projected: Tensor = self.visual_head(self.visual(pixels))
        return projected


class CTransPathEncoder(_Headed):
    """CTransPath: a Swin transformer behind a stem of convolutions, mean of the last tokens.

    CHIEF's patch encoder has the same architecture and names.

    Args:
        **kwargs: see `TimmEncoder`.
    """

    def empty_network(self) -> nn.Module:
        """The architecture without its weights."""
        network: Any = super().empty_network()
        network.patch_embed = _ConvolutionalStem()
        return network

    def _named(self, network: nn.Module, state: State) -> State:
        """timm of the authors' day merged patches at the end of a stage, not at the next one's
        start.
        """
        own = {k: v for k, v in state.items() if not k.endswith(COMPUTED)}
        return {
            re.sub(r"^layers\.(\d+)\.downsample", _next_stage, key): value
            for key, value in own.items()
        }


def _next_stage(name: re.Match[str]) -> str:
    return f"layers.{int(name[1]) + 1}.downsample"


class _ConvolutionalStem(nn.Module):
    """Pixels (n, 3, px, px) to tokens of 4 px, (n, px / 4, px / 4, 96)."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        width = 3
        for wider in (STEM // 8, STEM // 4):
            layers += [
                nn.Conv2d(width, wider, 3, stride=2, padding=1, bias=False),
                nn.BatchNorm2d(wider),
                nn.ReLU(inplace=True),
            ]
            width = wider
        self.proj = nn.Sequential(*layers, nn.Conv2d(width, STEM, 1))
        self.norm = nn.LayerNorm(STEM)

    def forward(self, pixels: Tensor) -> Tensor:
        tokens: Tensor = self.norm(self.proj(pixels).permute(0, 2, 3, 1))
        return tokens
