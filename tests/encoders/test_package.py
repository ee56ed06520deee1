"""Weights inside a package of the Python index: found, told by their hash, and loaded in their
order.
"""

import hashlib
import logging
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import timm
import torch
from conftest import compose_config
from omegaconf import OmegaConf
from skimage import data
from torch import Tensor, nn

from hespotex.common.errors import InputError
from hespotex.encoders.timm_encoder import TimmEncoder
from hespotex.encoders.weights import Package, in_order_of, load_strictly
from hespotex.records.build import build

from .conftest import pixels_of

# classes of ImageNet
LITE0 = {"tabby": 281, "tiger cat": 282, "Egyptian cat": 285, "espresso": 967}
COUNTER = "num_batches_tracked"


def package_of(
    path: Path, name: str = "nobody-s-weights", file: str = "here/weights.pt"
) -> Package:
    """A package that holds, or would hold, this file."""
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "0" * 64
    return Package(name, "1.0", file, sha256, "MIT", f"pip install {name}==1.0")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "weights.pt"
    path.write_bytes(b"some weights")
    return path


def test_the_user_s_own_copy_or_its_folder(file: Path) -> None:
    package = package_of(file)
    assert package.find(str(file)) == package.find(str(file.parent)) == file


def test_an_installed_package_is_found_without_being_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    about = tmp_path / "stand_in-1.0.dist-info"
    content = tmp_path / "stand_in"
    about.mkdir()
    content.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: stand-in\nVersion: 1.0\n")
    (content / "__init__.py").write_text("raise RuntimeError('imported')")
    (content / "weights.pt").write_bytes(b"some weights")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert (
        package_of(content / "weights.pt", "stand-in", "stand_in/weights.pt").find(None)
        == content / "weights.pt"
    )
    with pytest.raises(
        InputError,
        match=r"stand-in is installed without stand_in/other.pt; pip install stand-in==1.0",
    ):
        package_of(content / "weights.pt", "stand-in", "stand_in/other.pt").find(None)


def test_what_is_missing_names_command_licence_and_key(tmp_path: Path, file: Path) -> None:
    wanted = (
        r"pip install nobody-s-weights==1.0 \(licence MIT\), or set encoder.weights=FILE to its"
        r" weights.pt"
    )
    for local in (None, str(tmp_path / "nowhere.pt"), str(tmp_path.parent / "none" / "weights.pt")):
        with pytest.raises(InputError, match=wanted):
            package_of(file).find(local)


@pytest.mark.parametrize("name", ["/etc/weights.pt", "../weights.pt", "here/../../weights.pt"])
def test_no_file_outside_the_package(file: Path, name: str) -> None:
    with pytest.raises(
        InputError, match=r"encoder.package.file=.*expected a file inside the package"
    ):
        package_of(file, file=name).find(None)


@pytest.mark.parametrize("content", [b"", b"other weights", b"some weights "])
def test_any_other_file_is_refused(file: Path, content: bytes) -> None:
    package = package_of(file)
    assert package.find(str(file)) == file
    file.write_bytes(content)
    with pytest.raises(
        InputError, match=r"weights.pt is not the file of nobody-s-weights 1.0: expected sha256"
    ):
        package.find(str(file))


def network() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 2, 1), nn.BatchNorm2d(2), nn.Linear(4, 2))


def renamed(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """As another library names the same weights, without counters."""
    return {f"w{i}": value for i, (key, value) in enumerate(state.items()) if COUNTER not in key}


def test_weights_in_their_order(file: Path) -> None:
    state = network().state_dict()
    empty = network()
    load_strictly(empty, in_order_of(empty, renamed(state)), file, "it")
    for key, value in empty.state_dict().items():
        torch.testing.assert_close(value, state[key])


@pytest.mark.parametrize("wrong", ["one more", "one less", "other order"])
def test_an_order_that_does_not_fit(file: Path, wrong: str) -> None:
    state = renamed(network().state_dict())
    first, *rest = state
    changes = {
        "one more": state | {"more": torch.ones(1)},
        "one less": {key: state[key] for key in rest},
        "other order": {key: state[key] for key in (*rest, first)},
    }
    with pytest.raises(InputError, match="does not hold it"):
        load_strictly(network(), in_order_of(network(), changes[wrong]), file, "it")


@pytest.mark.parametrize("architecture", ["test_efficientnet", "test_resnet", "mobilenetv2_100"])
def test_an_encoder_with_weights_of_a_package(
    architecture: str,
    published: dict[str, Any],
    patches: Tensor,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Named otherwise in the file, with a classifier; the licence is shown as the network
    starts.
    """
    torch.manual_seed(0)
    source = timm.create_model(architecture, num_classes=0).eval()
    path = tmp_path / "weights.pt"
    torch.save(renamed(source.state_dict()) | {"_fc.weight": torch.ones(2, 2)}, path)
    facts = package_of(path)
    package = {key: getattr(facts, key) for key in ("name", "version", "file", "sha256", "install")}
    own = {key: published[key] for key in ("name", "patch_um", "patch_px")}
    settings: dict[str, Any] = {
        "architecture": architecture,
        "pooling": "mean",
        "licence": "MIT",
        "weights": str(path),
    }
    encoder = TimmEncoder(**own, **settings, package=package)
    with torch.inference_mode():
        expected = source.forward_features(pixels_of(patches)).mean((2, 3))
    with caplog.at_level(logging.INFO, "hespotex"):
        torch.testing.assert_close(encoder(patches, 0.5), expected)
        encoder(patches, 0.5)
    assert caplog.messages == ["encoder tiny: weights of licence MIT"]


def test_the_installed_weights_know_what_is_on_a_photograph(tmp_path: Path) -> None:
    """A cat and a cup of coffee, by the file's own classifier on the encoder's numbers."""
    whole = [
        "encoder=efficientnet_lite0",
        "encoder.device=cpu",
        "encoder.block=null",
        "encoder.pooling=mean",
    ]
    encoder = build(
        OmegaConf.to_container(compose_config("train", whole, tmp_path).encoder, resolve=True)
    )
    photographs = [data.chelsea()[:300, 80:380], data.coffee()[:400, 100:500]]
    small = [
        cv2.resize(photograph, (224, 224), interpolation=cv2.INTER_AREA)
        for photograph in photographs
    ]
    classifier = torch.load(encoder.weights_file(), weights_only=True)
    scores = (
        encoder(torch.from_numpy(np.stack(small)), 0.5) @ classifier["_fc.weight"].T
        + classifier["_fc.bias"]
    )
    cat, coffee = scores.argmax(1).tolist()
    assert cat in (LITE0["tabby"], LITE0["tiger cat"], LITE0["Egyptian cat"])
    assert coffee == LITE0["espresso"]
