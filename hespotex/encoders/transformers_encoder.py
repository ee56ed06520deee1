"""Encoders published for the transformers package: Phikon, Midnight, Hibou, PLIP. No code from the
hub is ever run.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from hespotex.common.errors import InputError
from hespotex.encoders.hub_encoder import HubEncoder, checked_architecture
from hespotex.encoders.pooling import Pooled
from hespotex.encoders.weights import State, read_state, without, wrong_weights

ARCHITECTURES = {
    "vit": ("ViTModel", "ViTConfig"),
    "dinov2": ("Dinov2Model", "Dinov2Config"),
    "dinov2_with_registers": ("Dinov2WithRegistersModel", "Dinov2WithRegistersConfig"),
    "clip_vision": ("CLIPVisionModelWithProjection", "CLIPVisionConfig"),
}
# Weights in published files that take no part in an embedding: a pooler, CLIP's text tower.
UNUSED = ("pooler.", "position_ids", "text_model.", "text_projection.", "logit_scale")
# of training: some networks have a place for it, some files hold it, no embedding needs it
MASK = "mask_token"


class TransformersEncoder(HubEncoder):
    """A network of the transformers package of a stated architecture; only weights are read from
    the hub.

    Args:
        architecture: "vit", "dinov2", "dinov2_with_registers" or "clip_vision".
        model_kwargs: its configuration, where it differs from the package's defaults.
        pooling: see `pool_tokens`; "clip_vision" has its projected class token only ("cls").
        **kwargs: see `HubEncoder` and `TorchEncoder`.
    """

    def __init__(
        self, architecture: str, model_kwargs: dict[str, Any], pooling: str = "cls", **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.architecture = architecture
        self.pooling = pooling
        self.model_kwargs = checked_architecture(architecture, model_kwargs)
        if architecture not in ARCHITECTURES:
            raise InputError(
                f"encoder.architecture={architecture}; expected {', '.join(ARCHITECTURES)}"
            )
        if architecture == "clip_vision" and pooling != "cls":
            raise InputError(
                f"encoder.pooling={pooling}, but CLIP's projection takes the class token only;"
                " set cls"
            )

    def architecture_identity(self) -> dict[str, Any]:
        """The kind of network, its configuration, and how tokens are pooled."""
        return {key: getattr(self, key) for key in ("architecture", "model_kwargs", "pooling")}

    def empty_network(self) -> nn.Module:
        """The architecture without its weights; on torch's "meta" device it costs nothing."""
        model, config = self._classes()
        network: nn.Module = model(config, **self._options())
        return network

    def build(self) -> nn.Module:
        """(n, 3, px, px) -> (n, d); text towers and poolers in the file are left out.

        Raises:
            InputError: the weights do not fit the architecture.
        """
        path = self.weights_file()
        return self.with_pooling(self._load(without(read_state(path), UNUSED), path))

    def with_pooling(self, network: Any) -> nn.Module:
        """Pixels to embeddings."""
        if self.architecture == "clip_vision":
            return _Projected(network)
        return _Tokens(network, 1 + getattr(network.config, "num_register_tokens", 0), self.pooling)

    def _load(self, state: State, path: Path) -> Any:
        """Through the package's own loader, which knows the names that published files still
        use.
        """
        model, config = self._classes()
        try:
            with _without_report():
                network, report = model.from_pretrained(
                    None,
                    config=config,
                    state_dict=state,
                    dtype=torch.float32,
                    output_loading_info=True,
                    **self._options(),
                )
        except RuntimeError as error:
            raise wrong_weights(path, self.architecture, str(error)) from error
        missing, foreign = (_needed(report[kind]) for kind in ("missing_keys", "unexpected_keys"))
        if missing or foreign:
            raise wrong_weights(path, self.architecture, f"missing {missing}, foreign {foreign}")
        return network

    def _options(self) -> dict[str, bool]:
        """ViT's pooler was trained with the head of another task; Phikon is published without."""
        return {"add_pooling_layer": False} if self.architecture == "vit" else {}

    def _classes(self) -> tuple[Any, Any]:
        """The class of the network, and its configuration."""
        try:
            import transformers
        except ImportError as error:
            raise InputError(
                f"{self.name} needs the transformers package; pip install transformers"
            ) from error
        model, config = (getattr(transformers, name) for name in ARCHITECTURES[self.architecture])
        return model, config(**self.model_kwargs)


def _needed(keys: set[str]) -> list[str]:
    """Names of weights without which an embedding is another."""
    return sorted(key for key in keys if MASK not in key)


@contextmanager
def _without_report() -> Iterator[None]:
    """No bar and no table of the package's own while it loads: what is missing or foreign is an
    error of ours.
    """
    from transformers.utils import logging

    level = logging.get_verbosity()
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(level)


class _Tokens(Pooled):
    def __init__(self, network: nn.Module, n_prefix: int, pooling: str) -> None:
        super().__init__(n_prefix, pooling)
        self.network = network

    def tokens(self, pixels: Tensor) -> Tensor:
        tokens: Tensor = self.network(pixel_values=pixels).last_hidden_state
        return tokens


class _Projected(nn.Module):
    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, pixels: Tensor) -> Tensor:
        embedding: Tensor = self.network(pixel_values=pixels).image_embeds
        return embedding
