"""Encoders published as timm architectures: most pathology foundation models, and ResNet50 as the classical reference."""

from typing import Any

import torch
from torch import Tensor, nn

from hespotex.encoders.hub_encoder import HubEncoder, checked_architecture
from hespotex.encoders.pooling import Pooled
from hespotex.encoders.weights import load_strictly, read_state
from hespotex.errors import InputError

CLASSIFIERS = ("fc.", "head.")  # timm's ImageNet weights bring one along, which no embedding needs


class TimmEncoder(HubEncoder):
    """A timm network of a stated architecture: nothing about it is read from the hub but its weights.

    Args:
        architecture: timm model name.
        model_kwargs: what the published network differs in from it; layers by name, such as "SwiGLUPacked".
        pooling: see `pool_tokens`.
        block: for networks of convolutions, the stage whose feature map is pooled; None takes the last tokens.
        **kwargs: see `HubEncoder` and `TorchEncoder`.
    """

    def __init__(
        self,
        architecture: str,
        model_kwargs: dict[str, Any] | None = None,
        pooling: str = "cls",
        block: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.model_kwargs = checked_architecture(architecture, model_kwargs)
        self.architecture = architecture
        self.pooling, self.block = pooling, block

    def architecture_identity(self) -> dict[str, Any]:
        return {key: getattr(self, key) for key in ("architecture", "model_kwargs", "pooling", "block")}

    def empty_network(self) -> nn.Module:
        """The architecture without its weights; on torch's "meta" device it costs nothing."""
        import timm
        from timm.layers import SwiGLUPacked

        layers = {"SwiGLUPacked": SwiGLUPacked, "SiLU": nn.SiLU}
        kwargs = {k: layers.get(v, v) if isinstance(v, str) else v for k, v in self.model_kwargs.items()}
        try:
            network: nn.Module = timm.create_model(self.architecture, pretrained=False, num_classes=0, **kwargs)
        except (RuntimeError, TypeError, AssertionError) as error:
            raise InputError(
                f"timm cannot build {self.architecture} with {self.model_kwargs} ({str(error)[:200]}); "
                "mend encoder.architecture and encoder.model_kwargs"
            ) from error
        self._check_side(network)
        return network

    def _check_side(self, network: nn.Module) -> None:
        token_px = getattr(getattr(network, "patch_embed", None), "patch_size", (1, 1))[0]
        if (self.input_px or self.patch_px) % token_px:
            raise InputError(f"encoder.input_px={self.input_px} is no multiple of the {token_px} px of {self.name}'s tokens")

    def build(self) -> nn.Module:
        with torch.device("meta"):  # the weights come from the file: drawing a billion random ones takes long
            network = self.empty_network()
        path = self.weights_file()
        state = {key: value for key, value in read_state(path).items() if not key.startswith(CLASSIFIERS)}
        return self.with_pooling(load_strictly(network, state, path, self.architecture))

    def with_pooling(self, network: nn.Module) -> nn.Module:
        """Pixels to embeddings."""
        return _Tokens(network, self.pooling, self.block)


class _Tokens(Pooled):
    def __init__(self, network: Any, pooling: str, block: int | None) -> None:
        super().__init__(getattr(network, "num_prefix_tokens", 0), pooling)
        self.network, self.block = network, block

    def tokens(self, pixels: Tensor) -> Tensor:
        if self.block is None:
            features: Tensor = self.network.forward_features(pixels)
        else:
            (features,) = self.network.forward_intermediates(
                pixels, indices=[self.block], stop_early=True, intermediates_only=True
            )
        return features if features.ndim == 3 else features.flatten(2).transpose(1, 2)
