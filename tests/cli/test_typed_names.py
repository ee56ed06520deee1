"""Names of digits on the command line stay what was typed."""

import os
from pathlib import Path

import pytest
from conftest import CHECKOUT, command

from hespotex.cli.entry import as_typed
from hespotex.cli.names import check_names
from hespotex.common.errors import InputError


@pytest.mark.parametrize("word", ["name=2026_05_01", "output=1_0", "name=1e5", "name=1.10"])
def test_names_are_kept(word: str) -> None:
    key, value = word.split("=")
    assert as_typed(word) == f"{key}='{value}'"


@pytest.mark.parametrize("word", ["seed=1_000", "name=mine", "name='2026_05_01'", "name=3", "-m"])
def test_everything_else_is_left_alone(word: str) -> None:
    assert as_typed(word) == word


OUTSIDE = ["../x", "/x", "", "''", "..", ".", "a/../../x", "a,../x", "choice(a,../x)", "a\nb"]


@pytest.mark.parametrize("key", ["name", "+name", "data.name"])
@pytest.mark.parametrize("name", [*OUTSIDE, "~/x", "null", "a\0b", "..\\x"])
def test_names_outside_the_outputs_are_refused(key: str, name: str) -> None:
    with pytest.raises(InputError, match=r"name=.*expected a name .*paths\.outputs=DIR"):
        check_names(["seed=1", f"{key}={name}"])


@pytest.mark.parametrize("name", ["mine", "a/b", "a,b", "'choice(a,b)'", "..a", "${data.name}_x"])
def test_names_inside_are_taken(name: str) -> None:
    check_names([f"name={name}", "output=../x", "paths.outputs=/x"])


def test_nothing_is_made_for_a_name_outside(tmp_path: Path) -> None:
    place = tmp_path / "inner"
    place.mkdir()
    done = command("-m", "hespotex.train", "name=../../x", cwd=place, PYTHONPATH=str(CHECKOUT))
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1 and "paths.outputs=DIR" in done.stderr
    assert os.listdir(tmp_path) == ["inner"] and not os.listdir(place)  # noqa: PTH208


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("name: ../../x", "name='../../x'"),
        ("data: {name: /x}", "data.name='/x'"),
        ("model: {module: {optimizer: {lr: -1}}}", "model.module.optimizer.lr"),
        ("trainer: {num_nodes: 0}", "trainer.num_nodes"),
    ],
)
@pytest.mark.parametrize("sweep", [[], ["-m"]])
def test_a_config_file_is_looked_at_before_a_folder_is_made(
    tmp_path: Path, text: str, found: str, sweep: list[str]
) -> None:
    place = tmp_path / "inner"
    folder = tmp_path / "conf" / "experiment"
    place.mkdir()
    folder.mkdir(parents=True)
    (folder / "mine.yaml").write_text(f"# @package _global_\n{text}\n")
    words = ["--config-dir", str(folder.parent), "experiment=mine", *sweep]
    done = command("-m", "hespotex.train", *words, cwd=place, PYTHONPATH=str(CHECKOUT))
    assert done.returncode == 2, done.stderr
    assert done.stderr.count("\n") == 1 and found in done.stderr
    assert sorted(one.name for one in tmp_path.iterdir()) == ["conf", "inner"]
    assert not list(place.iterdir())
