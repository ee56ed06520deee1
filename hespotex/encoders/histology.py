"""The embedded encoder: named histology statistics, no download, no weights."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import torch
from torch import Tensor

from hespotex.histology import FEATURE_NAMES, patch_features

# raise it when a statistic changes its meaning, so that no stored value is taken for a new one
VERSION = 1


class HistologyEncoder:
    """Colour, texture, nuclei and layout of each patch; see `hespotex.histology.catalogue` for each
    statistic.

    Args:
        name: shown in tables and file names.
        patch_um: physical sides of the patches (um): the spot, and the region around it.
        patch_px: side in px at which the statistics are taken.
        patch_cut: see `PatchSpec`.
        workers: threads; OpenCV and NumPy let them run side by side.
    """

    batch_size = 64  # patches that one call should get

    def __init__(
        self,
        name: str,
        patch_um: list[float],
        patch_px: int = 224,
        patch_cut: str = "padded",
        workers: int = 2,
    ) -> None:
        self.name = name
        self.patch_um = list(patch_um)
        self.patch_px = patch_px
        self.patch_cut = patch_cut
        self.workers = workers

    def identity(self) -> dict[str, Any]:
        """The names of all statistics, and the version of their meaning."""
        return {"name": self.name, "version": VERSION, "statistics": list(FEATURE_NAMES)}

    def __call__(self, patches: Tensor, mpp: float) -> Tensor:
        """(n, px, px, 3) uint8 RGB -> (n, n_statistics) float32, on the CPU."""
        with ThreadPoolExecutor(self.workers) as pool:
            rows = pool.map(lambda patch: patch_features(patch, mpp), patches.numpy())
            return torch.from_numpy(np.stack(list(rows)))
