"""Image encoders: real loading code, small weights."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from hespotex.encoders.histology import HistologyEncoder
from hespotex.encoders.openclip import OpenClipEncoder
from hespotex.encoders.random_vit import RandomViTEncoder
from hespotex.errors import InputError
from hespotex.histology import FEATURE_NAMES

TINY = {
    "embed_dim": 8,
    "vision_cfg": {"image_size": 32, "layers": 1, "width": 64, "patch_size": 16},
    "text_cfg": {"context_length": 8, "vocab_size": 16, "width": 64, "heads": 1, "layers": 1},
}
SETTINGS: dict[str, Any] = {
    "name": "tiny",
    "architecture": "hespotex-tiny",
    "hub_id": "nobody/tiny",
    "patch_um": [16.0],
    "patch_px": 32,
}
PATCHES = torch.from_numpy(np.random.default_rng(0).integers(0, 255, (4, 32, 32, 3), dtype=np.uint8))


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """Random weights of a small CLIP model, as open_clip saves them."""
    import open_clip

    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "hespotex-tiny.json").write_text(json.dumps(TINY))
    open_clip.add_model_config(tmp_path / "configs")
    torch.manual_seed(0)
    torch.save(open_clip.create_model("hespotex-tiny", force_quick_gelu=True).state_dict(), tmp_path / "weights.bin")
    return tmp_path / "weights.bin"


def test_openclip_gives_the_visual_tower(weights: Path) -> None:
    import open_clip

    encoder = OpenClipEncoder(**SETTINGS, weights=str(weights))
    model = open_clip.create_model("hespotex-tiny", force_quick_gelu=True)
    model.load_state_dict(torch.load(weights, weights_only=True))
    pixels = (PATCHES.permute(0, 3, 1, 2) / 255 - 0.5) / 0.5
    with torch.inference_mode():
        expected = model.eval().encode_image(pixels)
    np.testing.assert_allclose(encoder(PATCHES, 0.5), expected.numpy(), rtol=1e-4, atol=1e-5)


def test_released_pixels_and_length(weights: Path) -> None:
    """Raw 0-255 pixels and L2-normalised features, as the released code has them."""
    encoder = OpenClipEncoder(**SETTINGS, weights=str(weights), raw_pixels=True, l2_normalize=True)
    embedding = encoder(PATCHES, 0.5)
    np.testing.assert_allclose(np.linalg.norm(embedding, axis=1), 1, rtol=1e-5)
    assert encoder.identity() != OpenClipEncoder(**SETTINGS, weights=str(weights)).identity()


def test_activation_is_part_of_the_identity_and_of_the_numbers(weights: Path) -> None:
    quick, plain = (OpenClipEncoder(**SETTINGS, weights=str(weights), quick_gelu=choice) for choice in (True, False))
    assert quick.identity() != plain.identity()
    assert not np.allclose(quick(PATCHES, 0.5), plain(PATCHES, 0.5))


def test_hub_download(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def download(hub_id: str, filename: str) -> str:
        asked.append((hub_id, filename))
        return str(weights)

    monkeypatch.setattr("huggingface_hub.hf_hub_download", download)
    assert OpenClipEncoder(**SETTINGS)(PATCHES, 0.5).shape == (4, 8)
    assert asked == [("nobody/tiny", "open_clip_pytorch_model.bin")]


def test_hub_out_of_reach(monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(*_: str) -> str:
        raise ConnectionError

    monkeypatch.setattr("huggingface_hub.hf_hub_download", offline)
    with pytest.raises(InputError, match=r"could not fetch .* of nobody/tiny .*set encoder.weights=FILE"):
        OpenClipEncoder(**SETTINGS).identity()


@pytest.mark.usefixtures("weights")
def test_missing_and_wrong_weights(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere.bin; set encoder.weights=FILE"):
        OpenClipEncoder(**SETTINGS, weights="nowhere.bin").identity()
    torch.save({"visual.proj": torch.zeros(1)}, tmp_path / "wrong.bin")
    with pytest.raises(InputError, match=r"wrong.bin does not hold the visual tower of hespotex-tiny"):
        OpenClipEncoder(**SETTINGS, weights=str(tmp_path / "wrong.bin"))(PATCHES, 0.5)


def test_quiltnet_config_is_the_true_architecture() -> None:
    """ViT-B/32 with 512 outputs and 87.8 M weights in the visual tower (built, not loaded)."""
    import open_clip

    with torch.device("meta"):
        tower = open_clip.create_model("ViT-B-32", force_quick_gelu=True, device="meta").visual
    assert sum(p.numel() for p in tower.parameters()) == pytest.approx(87.8e6, rel=0.01)
    assert tower.output_dim == 512


def test_random_vit_by_seed() -> None:
    one, same, other = (RandomViTEncoder(seed=s, name="r", patch_um=[16.0], patch_px=32)(PATCHES, 0.5) for s in (0, 0, 1))
    np.testing.assert_array_equal(one, same)
    assert not np.allclose(one, other)


def test_histology_has_a_name_for_every_number() -> None:
    encoder = HistologyEncoder("histology", [32.0], patch_px=64)
    patches = torch.from_numpy(np.random.default_rng(0).integers(0, 255, (3, 64, 64, 3), dtype=np.uint8))
    embedding = encoder(patches, 0.5)
    assert embedding.shape == (3, len(FEATURE_NAMES))
    np.testing.assert_array_equal(embedding[1], encoder(patches[1:2], 0.5)[0])
