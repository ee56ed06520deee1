"""The encoders without weights."""

import numpy as np
import torch
from torch import Tensor

from hespotex.encoders.histology import HistologyEncoder
from hespotex.encoders.random_vit import RandomViTEncoder
from hespotex.histology import FEATURE_NAMES


def test_random_vit_by_seed(patches: Tensor) -> None:
    one, same, other = (
        RandomViTEncoder(seed=s, name="r", patch_um=[16.0], patch_px=32)(patches, 0.5)
        for s in (0, 0, 1)
    )
    np.testing.assert_array_equal(one, same)
    assert not np.allclose(one, other)


def test_histology_has_a_name_for_every_number() -> None:
    encoder = HistologyEncoder("histology", [32.0], patch_px=64)
    patches = torch.from_numpy(
        np.random.default_rng(0).integers(0, 255, (3, 64, 64, 3), dtype=np.uint8)
    )
    embedding = encoder(patches, 0.5)
    assert embedding.shape == (3, len(FEATURE_NAMES))
    np.testing.assert_array_equal(embedding[1], encoder(patches[1:2], 0.5)[0])
