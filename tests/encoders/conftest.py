"""Patches, and what every encoder with published weights is told besides its architecture."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor


@pytest.fixture(scope="session")
def patches() -> Tensor:
    """(4, 32, 32, 3) uint8."""
    return torch.from_numpy(np.random.default_rng(0).integers(0, 255, (4, 32, 32, 3), dtype=np.uint8))


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
