"""Frozen torch networks as encoders: uint8 patches in, embeddings out."""

from typing import Any

import torch
from torch import Tensor, nn


class TorchEncoder:
    """Base of encoders that run a frozen network; the network is built at first use.

    Args:
        name: shown in tables and file names.
        patch_um: physical sides of the patches (um).
        patch_px: side in px that the network expects.
        patch_cut: see `PatchSpec` of the data layer.
        mean, std: per channel, on pixels scaled to 0-1.
        raw_pixels: feed 0-255 unscaled, as the released HESpotEx does.
        l2_normalize: divide each embedding by its length.
        device: "auto" takes a GPU where there is one.
    """

    def __init__(
        self,
        name: str,
        patch_um: list[float],
        patch_px: int,
        patch_cut: str = "padded",
        mean: tuple[float, ...] = (0.5, 0.5, 0.5),
        std: tuple[float, ...] = (0.5, 0.5, 0.5),
        raw_pixels: bool = False,
        l2_normalize: bool = False,
        device: str = "auto",
    ) -> None:
        self.name, self.patch_um, self.patch_px, self.patch_cut = name, list(patch_um), patch_px, patch_cut
        self.raw_pixels, self.l2_normalize = raw_pixels, l2_normalize
        self.mean, self.std = list(mean), list(std)
        self.device = torch.device(("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device)
        self._network: nn.Module | None = None

    @property
    def batch_size(self) -> int:
        return 32

    def build(self) -> nn.Module:
        """The network with its weights, mapping (n, 3, px, px) to (n, d)."""
        raise NotImplementedError

    def identity(self) -> dict[str, Any]:
        pixels = {"raw_pixels": True} if self.raw_pixels else {"mean": self.mean, "std": self.std}
        return {"name": self.name, "l2_normalize": self.l2_normalize, **pixels}

    @torch.inference_mode()
    def __call__(self, patches: Tensor, mpp: float) -> Tensor:
        if self._network is None:
            self._network = self.build().eval().requires_grad_(False).to(self.device)
        pixels = patches.to(self.device, non_blocking=True).permute(0, 3, 1, 2)
        embedding: Tensor = self._network(self.preprocess(pixels))
        if self.l2_normalize:
            embedding = nn.functional.normalize(embedding, dim=-1)
        return embedding.float()

    def preprocess(self, pixels: Tensor) -> Tensor:
        """(n, 3, px, px) uint8 -> float as the network was trained on."""
        if self.raw_pixels:
            return pixels.float()
        mean, std = (torch.tensor(v, device=pixels.device).view(3, 1, 1) for v in (self.mean, self.std))
        return (pixels.float() / 255 - mean) / std
