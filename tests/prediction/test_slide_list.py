"""Which files of a folder are slides, and what they are called."""

from pathlib import Path

import pytest

from hespotex.common.errors import InputError
from hespotex.prediction.slide_list import find_slides

FILES = (
    "a.svs",
    "b.TIF",
    "list.xlsx",
    ".hidden.svs",
    "P1/a.svs",
    "P1/mask.geojson",
    "P2/deep/c.ndpi",
    "out/a.png",
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in FILES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def names(
    found: list[Path] | Path, recursive: bool = False, output: Path | None = None
) -> list[str]:
    wanted = [str(path) for path in found] if isinstance(found, list) else str(found)
    return [slide.name for slide in find_slides(wanted, recursive, output)]


def test_a_folder(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"):
        assert names(folder) == ["a", "b"]
    assert "left out: 1 file" in caplog.text


def test_with_its_folders(folder: Path) -> None:
    """What was predicted into one of them is no slide."""
    found = names(folder, recursive=True, output=folder / "out")
    assert found == ["P1_a", "c", f"{folder.name}_a", "b"]
    assert "out_a" in names(folder, recursive=True)


def test_into_the_folder_itself(folder: Path) -> None:
    assert names(folder, output=folder) == ["a", "b"]


def test_a_glob_leaves_out_what_is_no_slide(folder: Path) -> None:
    assert names(folder / "P1" / "*") == ["a"]
    assert names([folder / "P1", folder / "b.TIF"]) == ["a", "b"]


def test_a_file_by_name_is_taken_whatever_it_is(folder: Path) -> None:
    assert names(folder / "list.xlsx") == ["list"]


def test_names_that_stay_equal(folder: Path) -> None:
    (folder / "P3" / "P1").mkdir(parents=True)
    (folder / "P3" / "P1" / "a.svs").touch()
    with pytest.raises(InputError, match="would both be written as P1_a"):
        names(folder, recursive=True)


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="recursive=true its folders too"):
        names(tmp_path)
