"""Encoders through timm: real loading code, timm's smallest networks."""

from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from timm.layers import SwiGLUPacked
from torch import Tensor, nn

from hespotex.common.errors import InputError
from hespotex.encoders.timm_encoder import TimmEncoder

from .conftest import pixels_of

KWARGS: dict[str, Any] = {
    "img_size": 32,
    "init_values": 0.5,
    "reg_tokens": 2,
    "dynamic_img_size": True,
}
LAYERS = {"mlp_layer": SwiGLUPacked, "act_layer": nn.SiLU}


@pytest.fixture
def network() -> Any:
    """A transformer of 64 numbers a token with a class token and two registers."""
    torch.manual_seed(0)
    return timm.create_model("test_vit", num_classes=0, **KWARGS, **LAYERS).eval()


@pytest.fixture
def settings(published: dict[str, Any], network: Any, tmp_path: Path) -> dict[str, Any]:
    torch.save(network.state_dict(), tmp_path / "pytorch_model.bin")
    kwargs = KWARGS | {"mlp_layer": "SwiGLUPacked", "act_layer": "SiLU"}
    return published | {
        "architecture": "test_vit",
        "model_kwargs": kwargs,
        "weights": str(tmp_path),
    }


def test_class_token_is_what_timm_gives(
    settings: dict[str, Any], network: Any, patches: Tensor
) -> None:
    with torch.inference_mode():
        torch.testing.assert_close(
            TimmEncoder(**settings)(patches, 0.5), network(pixels_of(patches))
        )


@pytest.mark.parametrize(("pooling", "width"), [("mean", 64), ("cls_mean", 128), ("centre", 64)])
def test_other_poolings_leave_class_token_and_registers_out(
    settings: dict[str, Any], network: Any, patches: Tensor, pooling: str, width: int
) -> None:
    embedding = TimmEncoder(**settings, pooling=pooling)(patches, 0.5)
    with torch.inference_mode():
        tokens = network.forward_features(pixels_of(patches))
    assert tokens.shape == (4, 3 + 4, 64)
    expected = tokens[:, 3:].mean(1)  # of 2 x 2 tokens all are in the middle
    torch.testing.assert_close(embedding[:, -64:], expected)
    assert embedding.shape == (4, width)


def test_convolutions_stop_at_the_stage_that_is_asked_for(
    published: dict[str, Any], patches: Tensor, tmp_path: Path
) -> None:
    """Like ResNet50's published file, this one has a classifier too, which is left out."""
    torch.manual_seed(0)
    network = timm.create_model("test_resnet", num_classes=10).eval()
    torch.save(network.state_dict(), tmp_path / "pytorch_model.bin")
    encoder = TimmEncoder(
        **published, architecture="test_resnet", pooling="mean", block=3, weights=str(tmp_path)
    )
    with torch.inference_mode():
        expected = network.forward_intermediates(pixels_of(patches), intermediates_only=True)[
            3
        ].mean((2, 3))
    torch.testing.assert_close(encoder(patches, 0.5), expected)
    last = TimmEncoder(
        **published, architecture="test_resnet", pooling="mean", weights=str(tmp_path)
    )(patches, 0.5)
    assert last.shape[1] == network.num_features
    with pytest.raises(InputError, match="no class token"):
        TimmEncoder(**published, architecture="test_resnet", pooling="cls", weights=str(tmp_path))(
            patches, 0.5
        )


def test_several_stages_side_by_side(
    published: dict[str, Any], patches: Tensor, tmp_path: Path
) -> None:
    """Mean and standard deviation of each, in the order of the stages."""
    torch.manual_seed(0)
    network = timm.create_model("test_efficientnet", num_classes=10).eval()
    state = {
        key: value
        for key, value in network.state_dict().items()
        if not key.startswith("classifier.")
    }
    torch.save(state, tmp_path / "pytorch_model.bin")
    settings = published | {
        "architecture": "test_efficientnet",
        "pooling": "mean_std",
        "weights": str(tmp_path),
    }
    with torch.inference_mode():
        maps = network.forward_intermediates(pixels_of(patches), intermediates_only=True)
    expected = [
        part for i in (1, 3) for part in (maps[i].mean((2, 3)), maps[i].std((2, 3), correction=0))
    ]
    torch.testing.assert_close(
        TimmEncoder(**settings, block=[1, 3])(patches, 0.5), torch.cat(expected, 1)
    )
    one, same = (TimmEncoder(**settings, block=block) for block in (3, [3]))
    torch.testing.assert_close(one(patches, 0.5), same(patches, 0.5))


def test_everything_that_changes_numbers_is_in_the_identity(
    settings: dict[str, Any], tmp_path: Path
) -> None:
    torch.save({"other": torch.ones(1)}, tmp_path / "other.bin")
    changes: list[dict[str, Any]] = [
        {},
        {"pooling": "mean"},
        {"precision": "bf16"},
        {"input_px": 48},
        {"weights": str(tmp_path / "other.bin")},
    ]
    changes += [
        {"model_kwargs": settings["model_kwargs"] | {"reg_tokens": 0}},
        {"mean": (0.1, 0.2, 0.3)},
    ]
    assert len({str(TimmEncoder(**settings | change).identity()) for change in changes}) == len(
        changes
    )


def test_weights_of_another_network(settings: dict[str, Any], patches: Tensor) -> None:
    with pytest.raises(InputError, match=r"pytorch_model.bin does not hold test_vit \(.*reg_token"):
        TimmEncoder(**settings | {"model_kwargs": settings["model_kwargs"] | {"reg_tokens": 0}})(
            patches, 0.5
        )


@pytest.mark.parametrize(
    "change", [{"architecture": "no_such_vit"}, {"model_kwargs": {"no_such_setting": 1}}]
)
def test_networks_that_timm_does_not_have(
    settings: dict[str, Any], change: dict[str, Any], patches: Tensor
) -> None:
    with pytest.raises(
        InputError, match=r"timm cannot build .*mend encoder.architecture and encoder.model_kwargs"
    ):
        TimmEncoder(**settings | change)(patches, 0.5)


def test_a_side_that_tokens_do_not_divide(settings: dict[str, Any], patches: Tensor) -> None:
    with pytest.raises(InputError, match=r"encoder.input_px=40 is no multiple of the 16 px"):
        TimmEncoder(**settings, input_px=40)(patches, 0.5)
    assert TimmEncoder(**settings, input_px=48)(patches, 0.5).shape == (4, 64)
