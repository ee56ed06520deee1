"""Frozen torch networks as encoders: uint8 patches in, embeddings out."""

from typing import Any

import torch
from torch import Tensor, nn

from hespotex.common.errors import InputError
from hespotex.encoders.device import DTYPES, choose_device, choose_precision, fitting_batch


class TorchEncoder:
    """Base of encoders that run a frozen network; the network is built at first use.

    Args:
        name: shown in tables and file names.
        patch_um: physical sides of the patches (um).
        patch_px: side in px of the patches that come in.
        patch_cut: see `PatchSpec` of the data layer.
        input_px: side in px that the network takes; other patches are resized on the device. None:
          as they come.
        resize_px: side in px to which patches are enlarged before their middle `input_px` are cut.
          None: no cutting.
        mean, std: per channel, on pixels scaled to 0-1.
        raw_pixels: feed 0-255 unscaled, as the released HESpotEx does.
        l2_normalize: divide each embedding by its length.
        device: "auto" takes a GPU where there is one.
        precision: "auto", "fp32", "bf16" or "fp16"; see `choose_precision`.
        batch_size: patches at once; "auto" sees what fits into memory.
        compile_network: let torch.compile fuse the network: slow to start, faster on many patches.
    """

    def __init__(
        self,
        name: str,
        patch_um: list[float],
        patch_px: int,
        patch_cut: str = "padded",
        input_px: int | None = None,
        mean: tuple[float, ...] = (0.5, 0.5, 0.5),
        std: tuple[float, ...] = (0.5, 0.5, 0.5),
        raw_pixels: bool = False,
        l2_normalize: bool = False,
        device: str = "auto",
        precision: str = "auto",
        batch_size: int | str = "auto",
        compile_network: bool = False,
        resize_px: int | None = None,
    ) -> None:
        self.name = name
        self.patch_um = list(patch_um)
        self.patch_px = patch_px
        self.patch_cut = patch_cut
        self.input_px = input_px
        self.raw_pixels = raw_pixels
        self.l2_normalize = l2_normalize
        self.resize_px = _checked_resize(resize_px, input_px)
        self.mean = list(mean)
        self.std = list(std)
        self.device = choose_device(device)
        self.precision = choose_precision(precision, self.device)
        self.compile_network = compile_network
        self._batch_size = None if batch_size == "auto" else _whole(batch_size)
        self._network: nn.Module | None = None
        self._scale, self._shift = self._affine()

    def build(self) -> nn.Module:
        """The network with its weights, mapping (n, 3, px, px) to (n, d)."""
        raise NotImplementedError

    def identity(self) -> dict[str, Any]:
        """How pixels become the network's input, and in what precision it computes."""
        pixels = {"raw_pixels": True} if self.raw_pixels else {"mean": self.mean, "std": self.std}
        settings = {
            key: getattr(self, key) for key in ("name", "input_px", "l2_normalize", "precision")
        }
        return settings | pixels | ({"resize_px": self.resize_px} if self.resize_px else {})

    @property
    def batch_size(self) -> int:
        """Patches that one call should get."""
        if self._batch_size is None:
            side = self.patch_px
            self._batch_size = fitting_batch(
                lambda n: self(torch.zeros(n, side, side, 3, dtype=torch.uint8), 1.0), self.device
            )
        return self._batch_size

    @torch.inference_mode()
    def __call__(self, patches: Tensor, mpp: float) -> Tensor:
        """(n, px, px, 3) uint8 -> (n, d) float32 on the encoder's device; `mpp` makes no
        difference.

        Raises:
            InputError: the patches do not fit into the GPU's memory.
        """
        try:
            return self._encode(patches)
        except torch.OutOfMemoryError as error:
            raise InputError(
                f"{self.name}: {len(patches)} patches at once do not fit into the GPU's memory; set"
                " encoder.batch_size lower"
            ) from error

    def _encode(self, patches: Tensor) -> Tensor:
        """(n, px, px, 3) uint8 -> (n, d), still being computed when it comes back from a GPU."""
        network = self._start()
        pixels = self.preprocess(patches.to(self.device, non_blocking=True).permute(0, 3, 1, 2))
        dtype = DTYPES[self.precision]
        with torch.autocast(self.device.type, dtype, enabled=dtype is not None):
            embedding: Tensor = network(pixels)
        embedding = embedding.float()
        return nn.functional.normalize(embedding, dim=-1) if self.l2_normalize else embedding

    def _start(self) -> nn.Module:
        """The network on its device. Its convolutions are laid out as the pixels are: channels
        last.
        """
        if self._network is None:
            network = self.build().eval().requires_grad_(False).float().to(self.device)
            self._network = network.to(memory_format=torch.channels_last)
            self._scale = self._scale.to(self.device)
            self._shift = self._shift.to(self.device)
            if self.compile_network:
                self._network.compile()
        return self._network

    def preprocess(self, pixels: Tensor) -> Tensor:
        """(n, 3, px, px) uint8 -> float as the network was trained on, on the same device."""
        values = pixels.float()
        side = self.resize_px or self.input_px
        if side and pixels.shape[-1] != side:
            values = nn.functional.interpolate(
                values, (side, side), mode="bicubic", antialias=True
            ).clamp_(0, 255)
        return self._middle(values) * self._scale + self._shift

    def _middle(self, values: Tensor) -> Tensor:
        """Of what was enlarged beyond the network's input, the middle."""
        if not self.resize_px or not self.input_px:
            return values
        margin = (self.resize_px - self.input_px) // 2
        kept = slice(margin, margin + self.input_px)
        return values[..., kept, kept]

    def _affine(self) -> tuple[Tensor, Tensor]:
        """(x / 255 - mean) / std as one factor and one summand per channel."""
        if self.raw_pixels:
            return torch.ones(3, 1, 1), torch.zeros(3, 1, 1)
        mean, std = (
            torch.tensor(value, dtype=torch.float64).view(3, 1, 1)
            for value in (self.mean, self.std)
        )
        return (1 / (255 * std)).float(), (-mean / std).float()


def _checked_resize(resize_px: int | None, input_px: int | None) -> int | None:
    if resize_px is not None and (input_px is None or resize_px < input_px):
        raise InputError(
            f"encoder.resize_px={resize_px}, of which the middle encoder.input_px={input_px} is to"
            " be cut; set resize_px larger than input_px, or null"
        )
    return resize_px


def _whole(batch_size: int | str) -> int:
    if not isinstance(batch_size, int) or batch_size < 1:
        raise InputError(
            f"encoder.batch_size={batch_size}; expected auto or a whole number above 0"
        )
    return batch_size
