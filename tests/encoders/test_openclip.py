"""CLIP image towers through open_clip: real loading code, small weights."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import pytest
import torch
from torch import Tensor

from hespotex.common.errors import InputError
from hespotex.encoders.openclip import OpenClipEncoder

TINY = {
    "embed_dim": 8,
    "vision_cfg": {"image_size": 32, "layers": 1, "width": 64, "patch_size": 16},
    "text_cfg": {"context_length": 8, "vocab_size": 16, "width": 64, "heads": 1, "layers": 1},
}


@pytest.fixture
def settings(published: dict[str, Any], tmp_path: Path) -> dict[str, Any]:
    """Settings of a small CLIP model with random weights, as open_clip saves them."""
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "hespotex-tiny.json").write_text(json.dumps(TINY))
    open_clip.add_model_config(tmp_path / "configs")
    torch.manual_seed(0)
    torch.save(
        open_clip.create_model("hespotex-tiny", force_quick_gelu=True).state_dict(),
        tmp_path / "weights.bin",
    )
    return published | {"architecture": "hespotex-tiny", "weights": str(tmp_path / "weights.bin")}


def test_openclip_gives_the_visual_tower(settings: dict[str, Any], patches: Tensor) -> None:
    model = open_clip.create_model("hespotex-tiny", force_quick_gelu=True)
    model.load_state_dict(torch.load(settings["weights"], weights_only=True))
    pixels = (patches.permute(0, 3, 1, 2) / 255 - 0.5) / 0.5
    with torch.inference_mode():
        expected = model.eval().encode_image(pixels)
    np.testing.assert_allclose(
        OpenClipEncoder(**settings)(patches, 0.5), expected.numpy(), rtol=1e-4, atol=1e-5
    )


def test_coca_gives_its_embedding_without_the_tokens_of_its_text(
    published: dict[str, Any], patches: Tensor, tmp_path: Path
) -> None:
    """OmiCLIP's kind of network, saved by open_clip's training."""
    vision = TINY["vision_cfg"] | {
        "attentional_pool": True,
        "attn_pooler_heads": 2,
        "output_tokens": True,
    }  # type: ignore[operator]
    text = TINY["text_cfg"] | {"embed_cls": True, "output_tokens": True}  # type: ignore[operator]
    more = {"context_length": 8, "vocab_size": 16, "width": 64, "heads": 1, "layers": 1}
    (tmp_path / "configs").mkdir()
    sizes = TINY | {
        "vision_cfg": vision,
        "text_cfg": text,
        "multimodal_cfg": more,
        "custom_text": True,
    }
    (tmp_path / "configs" / "hespotex-coca.json").write_text(json.dumps(sizes))
    open_clip.add_model_config(tmp_path / "configs")
    torch.manual_seed(0)
    model = open_clip.create_model("hespotex-coca").eval()
    torch.save(
        {"state_dict": {f"module.{k}": v for k, v in model.state_dict().items()}, "epoch": 3},
        tmp_path / "c.pt",
    )
    settings = published | {
        "architecture": "hespotex-coca",
        "weights": str(tmp_path / "c.pt"),
        "quick_gelu": False,
    }
    with torch.inference_mode():
        expected = model.encode_image(
            (patches.permute(0, 3, 1, 2) / 255 - 0.5) / 0.5, normalize=False
        )
    assert expected.shape == (4, 8)
    torch.testing.assert_close(
        OpenClipEncoder(**settings)(patches, 0.5), expected, rtol=1e-4, atol=1e-5
    )


def test_released_pixels_and_length(settings: dict[str, Any], patches: Tensor) -> None:
    """Raw 0-255 pixels and L2-normalised features, as the released code has them."""
    encoder = OpenClipEncoder(**settings, raw_pixels=True, l2_normalize=True)
    np.testing.assert_allclose(np.linalg.norm(encoder(patches, 0.5), axis=1), 1, rtol=1e-5)
    assert encoder.identity() != OpenClipEncoder(**settings).identity()


def test_activation_is_part_of_the_identity_and_of_the_numbers(
    settings: dict[str, Any], patches: Tensor
) -> None:
    quick, plain = (OpenClipEncoder(**settings, quick_gelu=choice) for choice in (True, False))
    assert quick.identity() != plain.identity()
    assert not np.allclose(quick(patches, 0.5), plain(patches, 0.5))


def test_weights_from_the_hub(
    settings: dict[str, Any], patches: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.hf_hub_download", lambda *_: settings["weights"])
    local = OpenClipEncoder(**settings)
    hub = OpenClipEncoder(**settings | {"weights": None})
    assert local.identity() == hub.identity()
    assert local(patches, 0.5).equal(hub(patches, 0.5))


def test_wrong_weights(settings: dict[str, Any], patches: Tensor, tmp_path: Path) -> None:
    torch.save({"visual.proj": torch.zeros(1)}, tmp_path / "wrong.bin")
    with pytest.raises(
        InputError, match=r"wrong.bin does not hold the visual tower of hespotex-tiny"
    ):
        OpenClipEncoder(**settings | {"weights": str(tmp_path / "wrong.bin")})(patches, 0.5)
