"""CLIP image towers through open_clip, QuiltNet first of all."""

from typing import Any

import torch
from torch import Tensor, nn

from hespotex.encoders.hub_encoder import HubEncoder, checked_architecture
from hespotex.encoders.weights import load_strictly, part_of, read_state


class OpenClipEncoder(HubEncoder):
    """The visual tower of a CLIP model: the projected class token. The text tower is dropped as
    soon as it is built.

    Args:
        architecture: open_clip model name, such as "ViT-B-32".
        quick_gelu: activation, QuickGELU or GELU. The same weights load with both and without a
          warning, so it is stated here. What QuiltNet was trained with is an open question; see its
          config.
        **kwargs: see `HubEncoder` and `TorchEncoder`.
    """

    def __init__(self, architecture: str, quick_gelu: bool = True, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        checked_architecture(architecture)
        self.architecture = architecture
        self.quick_gelu = quick_gelu

    def architecture_identity(self) -> dict[str, Any]:
        """The model's name and its activation: the weights tell neither."""
        return {"architecture": self.architecture, "quick_gelu": self.quick_gelu}

    def empty_network(self) -> nn.Module:
        """The architecture without its weights; on torch's "meta" device it costs nothing."""
        import open_clip

        # open_clip puts the model on the CPU unless told otherwise
        place = torch.get_default_device()
        model = open_clip.create_model(
            self.architecture, pretrained=None, force_quick_gelu=self.quick_gelu, device=place
        )
        visual: nn.Module = model.visual
        return visual

    def build(self) -> nn.Module:
        """(n, 3, px, px) -> (n, d), where d is the width of the space shared with text.

        Raises:
            InputError: the weights do not fit the architecture.
        """
        path = self.weights_file()
        with torch.device("meta"):  # the weights come from the file: no need to draw random ones
            network = self.empty_network()
        what = f"the visual tower of {self.architecture}"
        return self.with_pooling(
            load_strictly(network, part_of(read_state(path), "visual."), path, what)
        )

    def with_pooling(self, network: nn.Module) -> nn.Module:
        """Pixels to embeddings."""
        return _Tower(network)


class _Tower(nn.Module):
    """The embedding alone: CoCa's towers give the tokens of its text decoder beside it."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, pixels: Tensor) -> Tensor:
        found = self.network(pixels)
        embedding: Tensor = found[0] if isinstance(found, tuple) else found
        return embedding
