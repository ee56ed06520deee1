"""CONCH with a stand-in for its package."""

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from hespotex.common.errors import InputError
from hespotex.encoders.conch import ConchEncoder


class Model(nn.Module):
    """What the package's model offers of itself."""

    def __init__(self) -> None:
        super().__init__()
        self.visual = nn.Linear(3, 5)
        self.text = nn.Linear(2, 2)

    def encode_image(self, pixels: Tensor, proj_contrast: bool, normalize: bool) -> Tensor:
        assert not proj_contrast
        assert not normalize
        return self.visual(pixels.mean((2, 3)))


@pytest.fixture
def settings(published: dict[str, Any], tmp_path: Path) -> dict[str, Any]:
    torch.save(Model().state_dict(), tmp_path / "pytorch_model.bin")
    return published | {"architecture": "conch_ViT-B-16", "weights": str(tmp_path)}


@pytest.fixture
def package(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str, bool]]:
    """The package, which forgets to load anything; what it is asked for is written down."""
    asked = []

    def create(name: str, checkpoint_path: str, return_transform: bool) -> Model:
        asked.append((name, checkpoint_path, return_transform))
        return Model()

    module = ModuleType("conch.open_clip_custom")
    module.create_model_from_pretrained = create  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "conch", ModuleType("conch"))
    monkeypatch.setitem(sys.modules, "conch.open_clip_custom", module)
    return asked


def test_the_image_tower_has_the_weights_of_the_file(
    settings: dict[str, Any], package: list[tuple[str, str, bool]], patches: Tensor, tmp_path: Path
) -> None:
    embedding = ConchEncoder(**settings)(patches, 0.5)
    state = torch.load(tmp_path / "pytorch_model.bin", weights_only=True)
    means = ((patches.permute(0, 3, 1, 2) / 255 - 0.5) / 0.5).mean((2, 3))
    torch.testing.assert_close(
        embedding, means @ state["visual.weight"].T + state["visual.bias"], rtol=1e-4, atol=1e-5
    )
    assert package == [("conch_ViT-B-16", str(tmp_path / "pytorch_model.bin"), False)]


@pytest.mark.usefixtures("package")
def test_foreign_weights(settings: dict[str, Any], patches: Tensor, tmp_path: Path) -> None:
    torch.save({"visual.weight": torch.ones(5, 3)}, tmp_path / "pytorch_model.bin")
    with pytest.raises(InputError, match="does not hold the visual tower of conch_ViT-B-16"):
        ConchEncoder(**settings)(patches, 0.5)


def test_without_the_package(
    settings: dict[str, Any], patches: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "conch", None)
    with pytest.raises(InputError, match="tiny needs the package of its authors: clone CONCH"):
        ConchEncoder(**settings)(patches, 0.5)
