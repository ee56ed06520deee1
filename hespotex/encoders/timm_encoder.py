"""Encoders published as timm architectures: most pathology foundation models, and ResNet50 as the
classical reference.
"""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from hespotex.common.errors import InputError
from hespotex.encoders.hub_encoder import HubEncoder, checked_architecture
from hespotex.encoders.pooling import check_pooling, pool_tokens
from hespotex.encoders.weights import (
    Package,
    State,
    from_dinov2,
    in_order_of,
    load_strictly,
    read_state,
)

CLASSIFIERS = ("fc.", "head.", "_fc.")  # ImageNet weights bring one along, which no embedding needs


class TimmEncoder(HubEncoder):
    """A timm network of a stated architecture: nothing about it is read from the hub but its
    weights.

    Args:
        architecture: timm model name.
        model_kwargs: what the published network differs in from it; layers by name, such as
          "SwiGLUPacked".
        pooling: see `pool_tokens`.
        block: for networks of convolutions, the stage whose feature map is pooled, or several side
          by side; None takes the last tokens.
        **kwargs: see `HubEncoder` and `TorchEncoder`.
    """

    def __init__(
        self,
        architecture: str,
        model_kwargs: dict[str, Any] | None = None,
        pooling: str = "cls",
        block: int | list[int] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.model_kwargs = checked_architecture(architecture, model_kwargs)
        self.architecture = architecture
        self.pooling = pooling
        self.block = block

    def architecture_identity(self) -> dict[str, Any]:
        """The model's name, its arguments, and from which tokens of which stage the embedding is
        made.
        """
        return {
            key: getattr(self, key) for key in ("architecture", "model_kwargs", "pooling", "block")
        }

    def empty_network(self) -> nn.Module:
        """The architecture without its weights; on torch's "meta" device it costs nothing."""
        import timm
        from timm.layers import SwiGLUPacked

        layers = {"SwiGLUPacked": SwiGLUPacked, "SiLU": nn.SiLU}
        kwargs = {
            k: layers.get(v, v) if isinstance(v, str) else v for k, v in self.model_kwargs.items()
        }
        try:
            network: nn.Module = timm.create_model(
                self.architecture, pretrained=False, num_classes=0, **kwargs
            )
        except (RuntimeError, TypeError, AssertionError) as error:
            raise InputError(
                f"timm cannot build {self.architecture} with {self.model_kwargs}"
                f" ({str(error)[:200]}); mend encoder.architecture and encoder.model_kwargs"
            ) from error
        self._check_side(network)
        return network

    def _check_side(self, network: nn.Module) -> None:
        token_px = getattr(getattr(network, "patch_embed", None), "patch_size", (1, 1))[0]
        if (self.input_px or self.patch_px) % token_px:
            raise InputError(
                f"encoder.input_px={self.input_px} is no multiple of the {token_px} px of"
                f" {self.name}'s tokens"
            )

    def build(self) -> nn.Module:
        """(n, 3, px, px) -> (n, d), as pooling and block have it; classifiers in the file are left
        out.

        Raises:
            InputError: the weights do not fit the architecture.
        """
        # the weights come from the file: drawing a billion random ones takes long
        with torch.device("meta"):
            network = self.empty_network()
        path = self.weights_file()
        content = from_dinov2(read_state(path))
        state = {key: value for key, value in content.items() if not key.startswith(CLASSIFIERS)}
        return self.with_pooling(self._filled(network, state, path))

    def _filled(self, network: nn.Module, state: State, path: Path) -> nn.Module:
        """The network with its weights. What no file holds, such as rotary positions, is worked out
        by building it for real.
        """
        load_strictly(network, self._named(network, state), path, self.architecture)
        if any(buffer.is_meta for buffer in network.buffers()):
            return load_strictly(
                self.empty_network(), self._named(network, state), path, self.architecture
            )
        return network

    def _named(self, network: nn.Module, state: State) -> State:
        """The weights under timm's names. Of a package the file is known by its hash, so that its
        order can be trusted.
        """
        return in_order_of(network, state) if isinstance(self.source, Package) else state

    def with_pooling(self, network: nn.Module) -> nn.Module:
        """Pixels to embeddings."""
        return _Tokens(network, self.pooling, self.block)


class _Tokens(nn.Module):
    """Pixels to the pooled tokens of each block, side by side."""

    def __init__(self, network: Any, pooling: str, block: int | list[int] | None) -> None:
        super().__init__()
        self.n_prefix = getattr(network, "num_prefix_tokens", 0)
        self.network = network
        self.pooling = check_pooling(pooling, self.n_prefix > 0)
        self.blocks = None if block is None else [block] if isinstance(block, int) else list(block)

    def features(self, pixels: Tensor) -> list[Tensor]:
        """Tokens (n, n_prefix + side * side, d) or maps (n, d, side, side) of each block."""
        if self.blocks is None:
            return [self.network.forward_features(pixels)]
        found: list[Tensor] = self.network.forward_intermediates(
            pixels, indices=self.blocks, stop_early=True, intermediates_only=True
        )
        return found

    def forward(self, pixels: Tensor) -> Tensor:
        tokens = [
            found if found.ndim == 3 else found.flatten(2).transpose(1, 2)
            for found in self.features(pixels)
        ]
        return torch.cat([pool_tokens(own, self.n_prefix, self.pooling) for own in tokens], dim=-1)
