"""Two folds at once into one empty store, by the local form of each launcher."""

import json
from importlib.util import find_spec
from pathlib import Path

import pytest
from conftest import command

from hespotex.embeddings.store_files import stored_files, why_unusable

PLUGINS = {
    "joblib": "hydra_joblib_launcher",
    "submitit_local": "hydra_submitit_launcher",
    "ray": "hydra_ray_launcher",
}
THREE = "data.reader.sections=[DEMO1,DEMO3,DEMO5]"  # one of each patient


@pytest.mark.parametrize("launcher", PLUGINS)
def test_folds_fill_one_store(launcher: str, small: list[str], tmp_path: Path) -> None:
    if find_spec("hydra_plugins") is None or not find_spec(f"hydra_plugins.{PLUGINS[launcher]}"):
        pytest.skip(f"hydra/launcher={launcher} is not installed")
    elsewhere = [word for word in small if not word.startswith("paths.store")]
    places = [f"paths.outputs={tmp_path}", f"paths.store={tmp_path / 'store'}"]
    folds = ["model=ridge", "fold.index=0,1", "name=out", "data.panel.n_top=50"]
    spread = {"joblib": ["hydra.launcher.n_jobs=2"], "submitit_local": [], "ray": []}[launcher]
    words = [*elsewhere, *places, THREE, *folds, f"hydra/launcher={launcher}", *spread]
    done = command("train.py", "-m", *words)
    assert done.returncode == 0, done.stderr
    scores = [json.loads(path.read_text()) for path in (tmp_path / "out").glob("*/metrics.json")]
    assert sorted(one["split"]["test"][0] for one in scores) == ["DEMO1", "DEMO3"]
    stored = list(stored_files(tmp_path / "store"))
    tables = [(one.section_id, one.name) for one in stored]
    assert len(set(tables)) == len(tables) >= 3  # each was made once
    assert all(one.finished for one in stored) and not any(map(why_unusable, stored))
