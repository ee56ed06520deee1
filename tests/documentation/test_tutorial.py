"""The tutorial notebook runs as it stands, and is kept without outputs."""

from pathlib import Path

import nbformat
import pytest
from conftest import CHECKOUT
from nbclient import NotebookClient

TUTORIAL = CHECKOUT / "experiments" / "tutorial" / "tutorial.ipynb"
NOTEBOOKS = sorted((CHECKOUT / "experiments").rglob("*.ipynb"))
PLACE = '"outputs/tutorial"'


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_outputs_are_stripped(path: Path) -> None:
    cells = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    assert not [cell.source for cell in cells if cell.outputs or cell.execution_count is not None]


def test_the_tutorial_runs_on_the_demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    notebook = nbformat.read(TUTORIAL, as_version=4)
    switches = notebook.cells[1]
    assert PLACE in switches.source
    switches.source = switches.source.replace(PLACE, repr(str(tmp_path)))
    NotebookClient(
        notebook, timeout=1200, resources={"metadata": {"path": str(TUTORIAL.parent)}}
    ).execute()
    shown = nbformat.writes(notebook)
    assert "leave_one_group_out" in shown
    assert "image/png" in shown
    assert (tmp_path / "study" / "report" / "index.html").is_file()
    assert (tmp_path / "predicted" / "bare.html").is_file()
