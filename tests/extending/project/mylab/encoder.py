"""An encoder: mean and spread of each colour, six numbers a patch."""

from typing import Any

import torch
from torch import Tensor


class MeanColour:
    batch_size = 256  # patches that one call gets

    def __init__(
        self, name: str, patch_um: list[float], patch_px: int, patch_cut: str = "padded"
    ) -> None:
        self.name = name
        self.patch_um = patch_um
        self.patch_px = patch_px
        self.patch_cut = patch_cut

    def identity(self) -> dict[str, Any]:
        # key of the stored numbers: raise it when they change
        return {"name": self.name, "version": 1}

    def __call__(self, patches: Tensor, mpp: float) -> Tensor:
        pixels = patches.flatten(1, 2) / 255  # (n, px * px, 3)
        return torch.cat([pixels.mean(1), pixels.std(1)], dim=1)
