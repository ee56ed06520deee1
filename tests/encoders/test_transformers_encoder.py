"""Encoders through transformers: files as that package publishes them, small networks."""

import logging
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file
from torch import Tensor

from hespotex.common.errors import InputError
from hespotex.encoders.transformers_encoder import ARCHITECTURES, TransformersEncoder

from .conftest import pixels_of

SMALL: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 48,
    "image_size": 32,
    "patch_size": 8,
}
KWARGS = {
    "vit": SMALL,
    "dinov2": SMALL | {"use_swiglu_ffn": True},
    "dinov2_with_registers": SMALL | {"use_swiglu_ffn": True, "num_register_tokens": 3},
    "clip_vision": SMALL | {"projection_dim": 12},
}


def make(architecture: str, folder: Path) -> Any:
    """A network with random weights, saved as its package publishes it: CLIP with its text tower,
    ViT with its pooler.
    """
    torch.manual_seed(0)
    model, config = (getattr(transformers, name) for name in ARCHITECTURES[architecture])
    network = model(config(**KWARGS[architecture]))
    if architecture == "clip_vision":
        text = {
            key: value for key, value in SMALL.items() if "size" not in key or key == "hidden_size"
        }
        sizes = {
            "vision_config": SMALL,
            "text_config": text | {"vocab_size": 8},
            "projection_dim": 12,
        }
        network = transformers.CLIPModel(transformers.CLIPConfig(**sizes))
    network.eval().save_pretrained(folder)
    return network


def encoder_of(
    architecture: str, folder: Path, published: dict[str, Any], **changes: Any
) -> TransformersEncoder:
    settings = {
        "architecture": architecture,
        "model_kwargs": KWARGS[architecture],
        "weights": str(folder),
    }
    return TransformersEncoder(**published | settings | changes)


@pytest.mark.parametrize(
    ("architecture", "n_prefix"), [("vit", 1), ("dinov2", 1), ("dinov2_with_registers", 4)]
)
def test_tokens_are_those_of_the_package(
    architecture: str, n_prefix: int, published: dict[str, Any], patches: Tensor, tmp_path: Path
) -> None:
    network = make(architecture, tmp_path)
    embedding = encoder_of(architecture, tmp_path, published, pooling="cls_mean")(patches, 0.5)
    with torch.inference_mode():
        tokens = network(pixel_values=pixels_of(patches)).last_hidden_state
    assert tokens.shape[1] == n_prefix + 16
    torch.testing.assert_close(
        embedding, torch.cat([tokens[:, 0], tokens[:, n_prefix:].mean(1)], 1)
    )


def test_clip_gives_its_projected_class_token(
    published: dict[str, Any], patches: Tensor, tmp_path: Path
) -> None:
    network = make("clip_vision", tmp_path)
    with torch.inference_mode():
        expected = network.visual_projection(network.vision_model(pixels_of(patches)).pooler_output)
    torch.testing.assert_close(
        encoder_of("clip_vision", tmp_path, published)(patches, 0.5), expected
    )
    with pytest.raises(InputError, match="class token only; set cls"):
        encoder_of("clip_vision", tmp_path, published, pooling="mean")


@pytest.mark.parametrize(
    "change", [{"num_hidden_layers": 3}, {"num_hidden_layers": 1}, {"hidden_size": 64}]
)
def test_weights_of_another_network(
    change: dict[str, int], published: dict[str, Any], patches: Tensor, tmp_path: Path
) -> None:
    """One layer too many in the file, one too few, and layers of another width."""
    make("dinov2", tmp_path)
    with pytest.raises(InputError, match=r"model.safetensors does not hold dinov2"):
        encoder_of("dinov2", tmp_path, published, model_kwargs=KWARGS["dinov2"] | change)(
            patches, 0.5
        )


def test_registers_are_not_lost(published: dict[str, Any], patches: Tensor, tmp_path: Path) -> None:
    """What a plain loader does with Hibou's file: it leaves the registers out and goes on."""
    make("dinov2_with_registers", tmp_path)
    with pytest.raises(InputError, match=r"foreign.*register_tokens"):
        encoder_of("dinov2", tmp_path, published)(patches, 0.5)


@pytest.mark.parametrize("architecture", KWARGS)
@pytest.mark.parametrize("with_mask", [True, False])
def test_loading_says_nothing(
    architecture: str, with_mask: bool, published: dict[str, Any], patches: Tensor, tmp_path: Path
) -> None:
    """Training's mask token may be in the file or not: no table of missing weights alarms
    anybody.
    """
    make(architecture, tmp_path)
    state = load_file(tmp_path / "model.safetensors")
    state.pop("embeddings.mask_token", None)
    mask = {"embeddings.mask_token": torch.full((1, 32), 0.5)} if with_mask else {}
    save_file(state | mask, tmp_path / "model.safetensors", {"format": "pt"})
    before = transformers.utils.logging.get_verbosity()
    records = Records()
    logging.getLogger("transformers").addHandler(records)
    try:
        encoder_of(architecture, tmp_path, published)(patches, 0.5)
    finally:
        logging.getLogger("transformers").removeHandler(records)
    assert records.texts == []
    assert transformers.utils.logging.get_verbosity() == before


class Records(logging.Handler):
    """What the package would have shown."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(record.getMessage())


def test_settings_that_do_not_exist(published: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match="expected vit, dinov2, dinov2_with_registers, clip_vision"
    ):
        TransformersEncoder(
            **published, architecture="AutoModel", model_kwargs={}, weights=str(tmp_path)
        )


def test_without_the_package(
    published: dict[str, Any], patches: Tensor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make("vit", tmp_path)
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(
        InputError, match="tiny needs the transformers package; pip install transformers"
    ):
        encoder_of("vit", tmp_path, published)(patches, 0.5)
