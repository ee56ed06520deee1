"""Patches, and what every encoder with published weights is told besides its architecture."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor


def pixels_of(patches: Tensor) -> Tensor:
    """(4, 3, 32, 32) float in -1..1: the patches as the networks of `published` take them."""
    return (patches.permute(0, 3, 1, 2) / 255 - 0.5) / 0.5


@pytest.fixture(scope="session")
def patches() -> Tensor:
    """(4, 32, 32, 3) uint8."""
    return torch.from_numpy(
        np.random.default_rng(0).integers(0, 255, (4, 32, 32, 3), dtype=np.uint8)
    )


@pytest.fixture
def published() -> dict[str, Any]:
    """Settings of a small network that nobody has published."""
    return {
        "name": "tiny",
        "patch_um": [16.0],
        "patch_px": 32,
        "hub_id": "nobody/tiny",
        "hub_files": ["model.safetensors", "pytorch_model.bin"],
        "licence": "MIT",
        "gated": True,
    }
