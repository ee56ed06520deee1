import os
from pathlib import Path

import numpy as np
import pytest


@pytest.fixture
def noise() -> np.ndarray:
    """(60, 80, 3) random colours, none black (where densities are cut at different floors)."""
    return np.random.default_rng(0).integers(2, 256, (60, 80, 3), dtype=np.uint8)


@pytest.fixture(scope="session")
def breast_tiles() -> Path:
    """Folder of the breast tiles with dots; skips where the shared data are absent."""
    beside = Path(__file__).parents[3] / "shared" / "data"
    folder = Path(os.environ.get("HESPOTEX_SHARED_DATA", beside)) / "nuclei" / "brca_m2c"
    if not folder.is_dir():
        pytest.skip(f"no {folder}: set HESPOTEX_SHARED_DATA to the folder of development data")
    return folder
