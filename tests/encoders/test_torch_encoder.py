"""Preprocessing, precision, device and batch size, with a network of two layers."""

from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import Tensor, nn

from hespotex.common.errors import InputError
from hespotex.encoders import device as devices
from hespotex.encoders.torch_encoder import TorchEncoder


class Small(TorchEncoder):
    """One convolution and one linear layer, drawn by seed."""

    def __init__(self, **kwargs: Any) -> None:
        settings: dict[str, Any] = {"name": "small", "patch_um": [16.0], "patch_px": 32}
        super().__init__(**settings | kwargs)

    def build(self) -> nn.Module:
        torch.manual_seed(0)
        return nn.Sequential(
            nn.Conv2d(3, 8, 8, stride=8), nn.Flatten(), nn.Linear(128, 6), nn.Dropout()
        )


def test_pixels_are_scaled_as_published(patches: Tensor) -> None:
    mean = (0.7, 0.58, 0.7)
    std = (0.21, 0.23, 0.18)
    expected = (
        (patches.permute(0, 3, 1, 2) / 255).double() - torch.tensor(mean).view(3, 1, 1)
    ) / torch.tensor(std).view(3, 1, 1)
    torch.testing.assert_close(
        Small(mean=mean, std=std).preprocess(patches.permute(0, 3, 1, 2)), expected.float()
    )


def test_raw_pixels_are_left_alone(patches: Tensor) -> None:
    assert (
        Small(raw_pixels=True)
        .preprocess(patches.permute(0, 3, 1, 2))
        .equal(patches.permute(0, 3, 1, 2).float())
    )


@pytest.mark.parametrize("side", [20, 48])
def test_resizing_agrees_with_pillow(side: int) -> None:
    """Within 2 grey levels, as PIL rounds in between."""
    smooth = torch.nn.functional.interpolate(
        torch.rand(1, 3, 5, 5), (32, 32), mode="bicubic"
    ).clamp(0, 1)[0]
    patch = (smooth * 255).byte().permute(1, 2, 0)
    expected = np.asarray(
        Image.fromarray(patch.numpy()).resize((side, side), Image.Resampling.BICUBIC)
    )
    pixels = Small(raw_pixels=True, input_px=side).preprocess(patch.permute(2, 0, 1)[None])[0]
    assert pixels.shape == (3, side, side)
    assert np.abs(pixels.permute(1, 2, 0).numpy() - expected).max() <= 2


@pytest.mark.parametrize(("resize_px", "margin"), [(48, 8), (64, 16), (32, 0)])
def test_the_middle_of_enlarged_patches(resize_px: int, margin: int) -> None:
    """Within 2 grey levels of Pillow's resizing and cutting, in the patch's middle."""
    smooth = torch.nn.functional.interpolate(
        torch.rand(1, 3, 5, 5), (32, 32), mode="bicubic"
    ).clamp(0, 1)[0]
    patch = (smooth * 255).byte().permute(1, 2, 0)
    large = Image.fromarray(patch.numpy()).resize((resize_px, resize_px), Image.Resampling.BICUBIC)
    expected = np.asarray(large.crop((margin, margin, margin + 32, margin + 32)))
    encoder = Small(raw_pixels=True, input_px=32, resize_px=resize_px)
    pixels = encoder.preprocess(patch.permute(2, 0, 1)[None])[0]
    assert pixels.shape == (3, 32, 32)
    assert np.abs(pixels.permute(1, 2, 0).numpy() - expected).max() <= 2


def test_cutting_changes_the_identity_and_its_absence_does_not() -> None:
    """Embeddings stored before there was such a setting keep their key."""
    plain = Small(input_px=32)
    assert "resize_px" not in plain.identity()
    assert Small(input_px=32, resize_px=48).identity() == plain.identity() | {"resize_px": 48}
    for wrong in ({"resize_px": 48}, {"resize_px": 31, "input_px": 32}):
        with pytest.raises(InputError, match="set resize_px larger than input_px, or null"):
            Small(**wrong)


def test_patches_of_another_side_reach_the_network_in_its_own(patches: Tensor) -> None:
    larger = patches.repeat_interleave(2, 1).repeat_interleave(2, 2)
    assert Small(patch_px=64, input_px=32)(larger, 0.25).shape == (4, 6)


def test_half_precision_changes_the_numbers_a_little_and_the_identity(patches: Tensor) -> None:
    full = Small(device="cpu")
    half = Small(device="cpu", precision="bf16")
    assert full.identity()["precision"] == "fp32"
    assert half.identity()["precision"] == "bf16"
    difference = (full(patches, 0.5) - half(patches, 0.5)).abs().max()
    assert 0 < difference < 0.05
    assert half(patches, 0.5).dtype == torch.float32


def test_identity_names_no_device() -> None:
    identity = Small(device="cpu").identity()
    assert "cpu" not in str(identity)
    assert identity != Small(device="cpu", input_px=48).identity()


def test_the_network_is_frozen_and_in_evaluation(patches: Tensor) -> None:
    encoder = Small()
    assert encoder(patches, 0.5).equal(encoder(patches, 0.5))
    assert encoder._network is not None
    assert not any(parameter.requires_grad for parameter in encoder._network.parameters())


def test_compiling_is_asked_for(patches: Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    compiled = Mock()
    monkeypatch.setattr(nn.Module, "compile", compiled)
    Small()(patches, 0.5)
    compiled.assert_not_called()
    Small(compile_network=True)(patches, 0.5)
    compiled.assert_called_once_with()


def test_batch_size() -> None:
    assert Small(device="cpu").batch_size == 32
    assert Small(batch_size=7).batch_size == 7
    for wrong in (0, "many"):
        with pytest.raises(InputError, match="expected auto or a whole number"):
            Small(batch_size=wrong)


@settings(deadline=None, database=None)
@given(st.floats(0, 1e9))
def test_largest_power_of_two(fitting: float) -> None:
    n = devices.largest_power_of_two(fitting)
    assert n & (n - 1) == 0
    assert 1 <= n <= 1024
    assert n == 1 or n <= fitting
    assert n == 1024 or 2 * n > fitting


def test_a_gpu_gets_what_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    """8 patches took 80 MB at the peak, and 10 GB are free: 0.6 * 10 GB / 10 MB = 600 patches, so
    512.
    """
    facts = {
        "memory_allocated": 1e9,
        "memory_reserved": 1e9,
        "max_memory_allocated": 1.08e9,
        "mem_get_info": (10e9, 12e9),
    }
    for name, value in facts.items():
        monkeypatch.setattr(torch.cuda, name, lambda _, value=value: value)
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", Mock())
    encode = Mock()
    assert devices.fitting_batch(encode, torch.device("cuda")) == 512
    assert [call.args for call in encode.call_args_list] == [(8,), (8,)]


def test_memory_that_runs_out_says_what_to_set(
    patches: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Small, "preprocess", Mock(side_effect=torch.OutOfMemoryError))
    with pytest.raises(
        InputError, match=r"4 patches at once do not fit .* set encoder.batch_size lower"
    ):
        Small()(patches, 0.5)


def test_auto_takes_the_gpu_and_bf16_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    for has_bf16, expected in ((True, "bf16"), (False, "fp32")):
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", Mock(return_value=has_bf16))
        device = devices.choose_device("auto")
        assert (device.type, devices.choose_precision("auto", device)) == ("cuda", expected)


def test_devices_and_precisions_that_do_not_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    for n_gpus, device in ((0, "cuda"), (2, "cuda:2")):
        monkeypatch.setattr(torch.cuda, "device_count", lambda n_gpus=n_gpus: n_gpus)
        with pytest.raises(
            InputError, match=rf"sees {n_gpus} CUDA devices here; set encoder.device=auto"
        ):
            Small(device=device)
    with pytest.raises(InputError, match=r"encoder.device=abacus is unknown"):
        Small(device="abacus")
    with pytest.raises(InputError, match="expected auto, fp32, bf16, fp16"):
        Small(precision="fp8")
