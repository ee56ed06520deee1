"""Paths as people type them reach the program as they are meant."""

from pathlib import Path

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from hespotex.common.typed_paths import matching_paths, typed_options, typed_path, typed_words
from hespotex.prediction.slide_list import find_slides

FOLDERS = [".", "my slides (1)", "batch [2]", "Müller, stain=HE", "it's", "a{b}", "50% & more"]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    for folder in FOLDERS:
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / "slide.tif").touch()
    return tmp_path


def understood(word: str) -> object:
    (override,) = OverridesParser.create().parse_overrides(typed_words([word]))
    return override.value()


@pytest.mark.parametrize("folder", FOLDERS)
@pytest.mark.parametrize("typed", ["{home}/{folder}/slide.tif", "~/{folder}/slide.tif"])
def test_a_file_that_is_there_is_found(home: Path, folder: str, typed: str) -> None:
    wanted = understood("slides=" + typed.format(home=home, folder=folder))
    (slide,) = find_slides(str(wanted))
    assert slide.path.resolve() == (home / folder / "slide.tif").resolve()


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_glob_in_such_a_folder(home: Path, folder: str) -> None:
    assert [path.name for path in matching_paths(f"{home}/{folder}/*.tif")] == ["slide.tif"]
    assert len(matching_paths(f"{home}/{folder}/sl[ia]de.*")) == 1 and not matching_paths(
        f"{home}/{folder}/none*"
    )


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("slides=~/slide.tif", "{home}/slide.tif"),
        ("slides='~/slide.tif'", "{home}/slide.tif"),
        ("slides=~/*.tif", "{home}/*.tif"),
        ("output=~/new", "{home}/new"),
        ("output=/not there (yet)/x", "/not there (yet)/x"),
        ("slides=[~/a.tif,~/b.tif]", ["{home}/a.tif", "{home}/b.tif"]),
        ("data.reader.images={A: ~/a.tif}", {"A": "{home}/a.tif"}),
        ("model=ridge", "ridge"),
        ("genes=[A,B]", ["A", "B"]),
        ("a=1.5", 1.5),
        ("~data", None),
    ],
)
def test_words(home: Path, word: str, value: object) -> None:
    def filled(value: object) -> object:
        if isinstance(value, list):
            return [filled(one) for one in value]
        if isinstance(value, dict):
            return {key: filled(one) for key, one in value.items()}
        return value.format(home=home) if isinstance(value, str) else value

    assert understood(word) == filled(value)


def test_sweeps_and_options_are_left_alone(home: Path) -> None:
    words = [
        "-m",
        "model=ridge,mlp",
        "shard=range(4)",
        "fold.index=0,1",
        "seed=choice(1,2)",
        "+experiment=demo",
    ]
    assert typed_words(words) == words
    assert typed_options(["--slides=~/a.csv", "~/x", "--bulk", "a~b"]) == [
        f"--slides={home}/a.csv",
        f"{home}/x",
        "--bulk",
        "a~b",
    ]


def test_only_a_beginning_tilde_is_home(home: Path) -> None:
    assert typed_path("a~b/c") == Path("a~b/c") and typed_path("~/c") == home / "c"
    assert typed_path("~nobody-of-this-name/c") == Path("~nobody-of-this-name/c")
    assert typed_path("$HOME/c") == Path("$HOME/c")
