"""CONCH through its authors' own package, where the user has it."""

from typing import Any

from torch import Tensor, nn

from hespotex.common.errors import InputError
from hespotex.encoders.hub_encoder import HubEncoder, checked_architecture
from hespotex.encoders.weights import load_strictly, part_of, read_state


class ConchEncoder(HubEncoder):
    """CONCH's attention-pooled image embedding before the contrastive projection, as its authors
    advise.

    Args:
        architecture: name in the package, "conch_ViT-B-16".
        **kwargs: see `HubEncoder` and `TorchEncoder`.
    """

    def __init__(self, architecture: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        checked_architecture(architecture)
        self.architecture = architecture

    def architecture_identity(self) -> dict[str, Any]:
        """The name of the architecture; pooling is the package's own."""
        return {"architecture": self.architecture}

    def build(self) -> nn.Module:
        """(n, 3, px, px) -> (n, d): the image tower alone, without the projection.

        Raises:
            InputError: the authors' package is not installed, or the weights do not fit.
        """
        try:
            from conch.open_clip_custom import create_model_from_pretrained
        except ImportError as error:
            raise InputError(
                f"{self.name} needs the package of its authors: clone CONCH of mahmoodlab on GitHub"
                " and pip install it"
            ) from error
        path = self.weights_file()
        model = create_model_from_pretrained(
            self.architecture, checkpoint_path=str(path), return_transform=False
        )
        # The package ignores missing and foreign weights, so the image tower is loaded once more,
        # strictly.
        load_strictly(
            model.visual,
            part_of(read_state(path), "visual."),
            path,
            f"the visual tower of {self.architecture}",
        )
        return _ImageTower(model)


class _ImageTower(nn.Module):
    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, pixels: Tensor) -> Tensor:
        embedding: Tensor = self.model.encode_image(pixels, proj_contrast=False, normalize=False)
        return embedding
