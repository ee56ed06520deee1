"""Encoders of the benchmark: a cheap one where embedding is not what is measured, and a true ViT
without its weights.
"""

from typing import Any

import torch
from torch import Tensor

from hespotex.encoders.timm_encoder import TimmEncoder

D_IMAGE = 512  # as QuiltNet-B-32
D_VIT = 768  # of a ViT-B before CLIP's last layer


class PixelEncoder:
    """A fixed random projection of the pixels of a small patch: real patches go in, and as many
    numbers come out as of a ViT.

    Args:
        patch_um: side of the patch (um).
    """

    patch_px = 8
    patch_cut = "padded"
    batch_size = 4096

    def __init__(self, name: str, patch_um: float) -> None:
        self.name = name
        self.patch_um = [patch_um]
        generator = torch.Generator().manual_seed(0)
        self.weight = torch.randn(self.patch_px**2 * 3, D_IMAGE, generator=generator)

    def identity(self) -> dict[str, Any]:
        return {"name": self.name, "patch_px": self.patch_px}

    def __call__(self, patches: Tensor, mpp: float) -> Tensor:
        return torch.tanh((patches.flatten(1).float() / 128 - 1) @ self.weight / self.patch_px)


class RandomTimm(TimmEncoder):
    """The true architecture with random weights: they take the same time."""

    def identity(self) -> dict[str, Any]:
        return {"name": self.name, "weights": "random", "precision": self.precision}

    def build(self) -> torch.nn.Module:
        return self.with_pooling(self.empty_network())


class RandomClip(RandomTimm):
    """The same with CLIP's last layer, which makes `D_IMAGE` numbers of a patch."""

    def build(self) -> torch.nn.Module:
        return torch.nn.Sequential(super().build(), torch.nn.Linear(D_VIT, D_IMAGE))


def vit_b32(patch_um: float) -> dict[str, Any]:
    """Config of ViT-B/32 with random weights on patches of 224 px."""
    return {
        "_target_": "stand_in.RandomClip",
        "name": "vit_b32",
        "architecture": "vit_base_patch32_224",
        "patch_um": [patch_um],
        "patch_px": 224,
        "hub_id": "none",
        "hub_files": [],
        "licence": "none",
        "gated": False,
    }
