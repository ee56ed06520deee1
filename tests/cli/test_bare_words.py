"""Slides as words of their own: `predict a.svs b.svs`."""

from pathlib import Path

import pytest
from conftest import command

from hespotex.cli.bare_words import gathered
from hespotex.common.errors import InputError


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], []),
        (["a.svs"], ["slides=a.svs"]),
        (["a.svs", "output=o", "b (1).TIF"], ["output=o", "slides=[a.svs,'b (1).TIF']"]),
        (["-m", "it's, a slide.jpg"], ["-m", r"slides='it\'s, a slide.jpg'"]),
        (["--config-dir", "own.tif", "x.svs"], ["--config-dir", "own.tif", "slides=x.svs"]),
        (["~callbacks.progress", "mpp=0.5"], ["~callbacks.progress", "mpp=0.5"]),
        (["nowhere", "map_genes.png.x"], ["nowhere", "map_genes.png.x"]),
    ],
)
def test_words(words: list[str], expected: list[str]) -> None:
    assert gathered(words, "slides") == expected


def test_what_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder, a pattern, and a file without an ending."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "slide").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert gathered(["folder"], "slides") == ["slides=folder"]
    assert gathered(["sl*"], "slides") == ["slides=sl*"]
    assert gathered(["~/slide"], "slides") == [f"slides={tmp_path}/slide"]
    assert gathered(["folder"], None) == ["folder"]


def test_both_ways() -> None:
    with pytest.raises(InputError, match=r"a.svs and slides=... both name slides"):
        gathered(["a.svs", "slides=b.svs"], "slides")


def test_a_slide_that_is_missing_is_missed_by_its_name(tmp_path: Path) -> None:
    done = command("-m", "hespotex.predict", "not here.svs", f"output={tmp_path}/o", cwd=tmp_path)
    assert done.returncode == 2
    assert "not here.svs" in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_other_commands_take_none() -> None:
    done = command("train.py", "a.svs")
    assert done.returncode != 0
    assert "a.svs: expected KEY=VALUE" in done.stderr
