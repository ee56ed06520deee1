"""CLIP image towers through open_clip, QuiltNet first of all."""

from pathlib import Path
from typing import Any

import torch
from torch import nn

from hespotex.encoders.torch_encoder import TorchEncoder
from hespotex.errors import InputError
from hespotex.files import file_fingerprint

WEIGHTS_FILE = "open_clip_pytorch_model.bin"


class OpenClipEncoder(TorchEncoder):
    """The visual tower of a CLIP model; the text tower is never built into memory for long.

    Args:
        architecture: open_clip model name, such as "ViT-B-32".
        hub_id: repository on the Hugging Face hub that holds `open_clip_pytorch_model.bin`.
        weights: local file that replaces the hub.
        quick_gelu: activation. QuiltNet's hub config names none, which builds GELU; the released HESpotEx
            loads the same weights with QuickGELU. Both load without a warning, so it is stated here.
        **kwargs: see `TorchEncoder`.
    """

    def __init__(
        self, architecture: str, hub_id: str, weights: str | None = None, quick_gelu: bool = True, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.architecture, self.hub_id, self.weights, self.quick_gelu = architecture, hub_id, weights, quick_gelu
        self._file: Path | None = None

    def identity(self) -> dict[str, Any]:
        own = {
            "architecture": self.architecture,
            "quick_gelu": self.quick_gelu,
            "weights": file_fingerprint(self.weights_file()),
        }
        return super().identity() | own

    def build(self) -> nn.Module:
        import open_clip

        model = open_clip.create_model(self.architecture, pretrained=None, force_quick_gelu=self.quick_gelu)
        state = torch.load(self.weights_file(), map_location="cpu", weights_only=True)
        state = {key.removeprefix("module."): value for key, value in state.get("state_dict", state).items()}
        visual = {key.removeprefix("visual."): value for key, value in state.items() if key.startswith("visual.")}
        try:
            model.visual.load_state_dict(visual)
        except RuntimeError as error:
            raise InputError(
                f"{self.weights_file()} does not hold the visual tower of {self.architecture} ({str(error)[:200]}); "
                "set encoder.architecture or encoder.weights"
            ) from error
        tower: nn.Module = model.visual
        return tower

    def weights_file(self) -> Path:
        """The weights on this disk, downloaded if need be."""
        if self._file is None:
            self._file = self._local_file() if self.weights else self._download()
        return self._file

    def _local_file(self) -> Path:
        path = Path(str(self.weights))
        if not path.is_file():
            raise InputError(
                f"encoder weights not found: {path}; set encoder.weights=FILE, or null for the hub ({self.hub_id})"
            )
        return path

    def _download(self) -> Path:
        from huggingface_hub import hf_hub_download

        try:
            return Path(hf_hub_download(self.hub_id, WEIGHTS_FILE))
        except Exception as error:  # the hub client has a family of errors for gated, missing and offline
            raise InputError(
                f"could not fetch {WEIGHTS_FILE} of {self.hub_id} ({type(error).__name__}); visit its page on the Hugging Face "
                f"hub, or download the file elsewhere and set encoder.weights=FILE; encoder=histology needs no download"
            ) from error
