"""The wheel alone is enough: it holds the configs, composes and trains, far from any checkout."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from conftest import CHECKOUT

SOURCES = ("hespotex", "conf", "pyproject.toml", "setup.py", "MANIFEST.in", "README.md", "LICENSE")
NO_BYTECODE = shutil.ignore_patterns("__pycache__", "local")


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with the unpacked wheel, built without a network from a copy of the sources."""
    source = tmp_path_factory.mktemp("source")
    folder = tmp_path_factory.mktemp("installed")
    for name in SOURCES:
        path = CHECKOUT / name
        shutil.copytree(path, source / name, ignore=NO_BYTECODE) if path.is_dir() else shutil.copy(
            path, source
        )
    build = [
        "pip",
        "wheel",
        "--quiet",
        "--no-build-isolation",
        "--no-deps",
        "--wheel-dir",
        str(source / "dist"),
        str(source),
    ]
    done = subprocess.run(
        [sys.executable, "-m", *build], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    (wheel,) = (source / "dist").glob("*.whl")
    zipfile.ZipFile(wheel).extractall(folder)
    return folder


def run(installed: Path, cwd: Path, *words: str) -> str:
    env = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    env |= {"PYTHONPATH": str(installed), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, *words],
        cwd=cwd,
        env=env,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_it_holds_every_file_of_the_package_and_of_conf(installed: Path) -> None:
    def content(folder: Path) -> set[str]:
        kinds = {".py", ".yaml", ".csv", ".gz", ".html", ".css", ".js", ".j2"}
        return {
            path.relative_to(folder).as_posix()
            for path in folder.rglob("*")
            if path.suffix in kinds
        }

    conf = {f"conf/{name}" for name in content(CHECKOUT / "conf") if not name.startswith("local/")}
    assert content(installed / "hespotex") == content(CHECKOUT / "hespotex") | conf
    assert {path.name for path in installed.iterdir() if not path.name.endswith(".dist-info")} == {
        "hespotex"
    }


def test_it_trains(installed: Path, small_demo: Path, store: Path, tmp_path: Path) -> None:
    small = [
        "data=hest",
        f"data.reader.root={small_demo}",
        f"paths.store={store}",
        "encoder=random_vit",
    ]
    run(
        installed,
        tmp_path,
        "-m",
        "hespotex.train",
        *small,
        "model=ridge",
        "data.panel.n_top=20",
        "name=from_wheel",
    )
    folder = tmp_path / "outputs" / "from_wheel" / "fold0_seed0"
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["git_commit"] is None
    assert (
        f"Made by: python -m hespotex.train data=hest data.reader.root={small_demo}"
        in (folder / "run.txt").read_text()
    )


def test_it_brings_the_front_door(installed: Path, tmp_path: Path) -> None:
    (about,) = installed.glob("*.dist-info")
    assert "hespotex = hespotex.__main__:main" in (about / "entry_points.txt").read_text()
    assert "  doctor " in run(installed, tmp_path, "-m", "hespotex", "--help")
    own = run(
        installed, tmp_path, "-m", "hespotex", "embed", "encoder=efficientnet_lite0", "--cfg", "job"
    )
    assert "name: efficientnet_lite0" in own


def test_it_brings_a_model(installed: Path, small_demo: Path, tmp_path: Path) -> None:
    """The first command of the README, from an empty folder: a slide, and nothing trained."""

    def files(folder: Path) -> set[str]:
        models = folder / "hespotex" / "prediction" / "models"
        found = (path for path in models.rglob("*") if path.is_file())
        return {path.relative_to(models).as_posix() for path in found}

    assert (
        files(installed) == {name for name in files(CHECKOUT) if not name.startswith(".")} != set()
    )
    slide = tmp_path / "it's a slide.tif"
    shutil.copy(small_demo / "slides" / "bare.tif", slide)
    run(installed, tmp_path, "-m", "hespotex", "predict", slide.name)
    assert {"it's a slide.h5ad", "it's a slide.html", "index.html", "run.txt"} <= {
        path.name for path in (tmp_path / "outputs" / "predicted").iterdir()
    }
    ask = "import hespotex; print(hespotex.load('breast_her2st').facts['tissue'])"
    assert "HER2-positive breast cancer" in run(installed, tmp_path, "-c", ask)


def test_verbs_find_the_configs(installed: Path, tmp_path: Path) -> None:
    assert "name: random_vit" in run(
        installed, tmp_path, "-m", "hespotex.embed", "encoder=random_vit", "--cfg", "job"
    )
    place = run(
        installed,
        tmp_path,
        "-c",
        "import hespotex; from hespotex.cli.entry import config_folder; print(config_folder())",
    )
    assert Path(place.strip()) == installed / "hespotex" / "conf"
