"""Recorded commands, run once more as they stand in `run.txt`: the same results come out."""

import json
import shlex
import shutil
import subprocess
from pathlib import Path

import anndata as ad
import numpy as np
import pytest
from conftest import CHECKOUT, command

from hespotex.records.runs import read_genes

MODEL = "defaults: [ridge, _self_]\nname: it's mine\n"
NAME = "a (1), it's [mine] & $HOME"


@pytest.fixture
def place(small_demo: Path, tmp_path: Path) -> Path:
    """Folder to work in: data, and a model of one's own, in folders with spaces."""
    (tmp_path / "own conf" / "model").mkdir(parents=True)
    (tmp_path / "own conf" / "model" / "mine.yaml").write_text(MODEL)
    (tmp_path / "my data").symlink_to(small_demo)
    return tmp_path


def shell(line: str, cwd: Path) -> None:
    """Run a command as a shell takes it apart: names in quotes, spaces, `$HOME`."""
    typed = ["bash", "-c", f"printf '%s\\0' {line}"]
    taken = subprocess.run(typed, cwd=cwd, capture_output=True, text=True, check=True).stdout
    python, *words = taken.split("\0")[:-1]
    assert python == "python"
    done = command(*words, cwd=cwd, PYTHONPATH=str(CHECKOUT))
    assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"


def recorded(folder: Path) -> str:
    """The command in its `run.txt`."""
    (line,) = [
        line for line in (folder / "run.txt").read_text().splitlines() if "Made by: " in line
    ]
    return line.partition("Made by: ")[2]


def test_a_run_and_a_prediction(place: Path, store: Path) -> None:
    """From any folder, with configs of one's own, and names that a shell would take apart."""
    words = (
        "--config-dir 'own conf' data=hest 'data.reader.root=my data' encoder=random_vit"
        f" model=mine data.panel.n_top=20 paths.store={store} '~callbacks.progress'"
    )
    quoted = shlex.quote("name='" + NAME.replace("'", r"\'") + "'")
    shell(f"python -m hespotex.train {words} {quoted}", place)
    folder = place / "outputs" / NAME / "fold0_seed0"
    first = json.loads((folder / "metrics.json").read_text())
    assert first["model"] == "it's mine"
    command = recorded(folder)
    shutil.move(folder.parent, place / "before")
    shell(command, place)
    again = json.loads((folder / "metrics.json").read_text())
    assert again["sections"] == first["sections"]
    assert recorded(folder) == command
    before = place / "before" / "fold0_seed0" / "config.json"
    assert (folder / "config.json").read_text() == before.read_text()

    genes = ",".join(list(read_genes(place / "before" / "fold0_seed0")["gene"].unique())[:2])
    shutil.copy(place / "my data" / "slides" / "bare.tif", place / "it's (a) slide, 1.tif")
    checkpoint = "before/fold0_seed0/checkpoints/best.ckpt"
    shell(
        f"python -m hespotex.predict checkpoint={checkpoint} output='out put' paths.store={store}"
        f""" "slides='it\\'s (a) slide, 1.tif'" 'map_genes=[{genes}]' flat=null""",
        place,
    )
    command = recorded(place / "out put")
    (made,) = (place / "out put").glob("*.h5ad")
    expected = ad.read_h5ad(made).X
    shutil.move(place / "out put", place / "put out")
    shell(command, place)
    np.testing.assert_array_equal(ad.read_h5ad(made).X, expected)


def test_a_sweep_beside_the_script(place: Path, store: Path) -> None:
    """In the checkout, where the command is that of the README."""
    words = (
        f"hydra/launcher=joblib hydra.launcher.n_jobs=1 data=hest"
        f" 'data.reader.root={place}/my data' model=mine encoder=random_vit"
        f" data.panel.n_top=20 paths.store={store} name=cv"
        f" fold.index=2 'paths.outputs={place}/out puts' '~callbacks.progress'"
    )
    shell(f"python train.py -m --config-dir '{place}/own conf' {words}", CHECKOUT)
    folder = place / "out puts" / "cv"
    first = (folder / "sections.csv").read_text()
    command = recorded(folder)
    assert command.startswith("python train.py -m --config-dir ")
    shutil.move(folder, place / "before")
    shell(command, CHECKOUT)
    assert (folder / "sections.csv").read_text() == first
