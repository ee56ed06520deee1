"""A small sweep to pack."""

import shutil
from pathlib import Path

import pytest
from conftest import Run


@pytest.fixture
def sweep(train: Run, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ridge on all three folds, trained once; each test gets a copy."""
    kept = tmp_path_factory.getbasetemp() / "kept_sweep"
    if not kept.is_dir():
        kept.mkdir()
        for i in range(3):
            train("model=ridge", "data.panel.n_top=40", f"fold.index={i}", folder=kept / str(i))
    return Path(shutil.copytree(kept, tmp_path / "sweep"))
