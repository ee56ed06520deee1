"""`hespotex VERB`: every verb is reached, nothing heavy is loaded for the list, typos are told."""

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from time import monotonic

import pytest
from conftest import CHECKOUT, command
from documentation import pages as _  # noqa: F401, puts docs/ on the path

from hespotex.__main__ import HYDRA, SCRIPT, VERBS, main

HEAVY = ("torch", "hydra", "numpy", "pandas", "anndata", "pytorch_lightning")


def test_every_command_is_a_verb() -> None:
    from command_reference import verbs

    assert {f"hespotex.{verb}" for verb in VERBS} == set(verbs())
    assert {f"hespotex.{verb}" for verb in HYDRA} == {
        verb for verb, by_argparse in verbs().items() if not by_argparse
    }


@pytest.mark.parametrize("words", [[], ["--help"], ["-h"], ["help"]])
def test_help_lists_the_verbs(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    main(words)
    text = capsys.readouterr().out
    for verb, does in VERBS.items():
        assert f"  {verb:<16}{does}\n" in text


@pytest.mark.parametrize("word", ["--help", "--version", "--completion"])
def test_nothing_heavy_is_loaded_for_it(word: str) -> None:
    code = (
        f"import sys; from hespotex.__main__ import main; main([{word!r}]); print(*sys.modules,"
        " file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=CHECKOUT, capture_output=True, text=True, check=True
    )
    assert not set(HEAVY) & set(done.stderr.split())


def test_help_comes_within_a_second() -> None:
    """The quickest of three: other work on the machine is no fault of ours."""
    took = []
    for _time in range(3):
        begun = monotonic()
        assert command("-m", "hespotex", "--help").returncode == 0
        took.append(monotonic() - begun)
    assert min(took) < 1


@pytest.mark.parametrize(
    ("verb", "light"),
    [("cli", HEAVY), ("doctor", HEAVY), ("summary", HEAVY), ("store", ("torch", "anndata"))],
)
def test_a_command_starts_light(verb: str, light: tuple[str, ...]) -> None:
    """What a command may need is loaded when it needs it: `--help` and a refused word come at
    once.
    """
    done = command("-c", f"import sys, hespotex.{verb}; print(*sys.modules)")
    assert done.returncode == 0, done.stderr
    assert not set(light) & set(done.stdout.split())


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("trian", "train"),
        ("preditc", "predict"),
        ("hest-benchmrk", "hest_benchmark"),
        ("bundel", "bundle"),
    ],
)
def test_an_unknown_verb(word: str, meant: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main([word, "data=demo"])
    assert stop.value.code == 2
    error = capsys.readouterr().err
    assert f"there is no verb {word}" in error
    assert f"did you mean {meant}?" in error


@pytest.mark.parametrize(
    "words", [["store", "--help"], ["hest-benchmark", "--cfg", "job"], ["train", "--cfg", "job"]]
)
def test_a_verb_gets_its_words(words: list[str]) -> None:
    verb = words[0].replace("-", "_")
    front = command("-m", "hespotex", *words)
    own = command("-m", f"hespotex.{verb}", *words[1:])
    assert front.returncode == own.returncode == 0, front.stderr
    assert front.stdout == own.stdout != ""


def test_exit_codes_and_suggestions_of_a_verb_come_through() -> None:
    done = command("-m", "hespotex", "train", "model=rigde")
    assert done.returncode != 0
    assert "did you mean model=ridge?" in done.stderr


def test_it_is_installed_under_its_name() -> None:
    scripts = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]["scripts"]
    assert scripts == {"hespotex": "hespotex.__main__:main"}


@pytest.mark.skipif(not shutil.which("bash"), reason="no bash")
@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("hespotex tr", "train"),
        ("hespotex b", "bundle"),
        ("hespotex train model=rid", "model=ridge"),
        ("hespotex store --ol", "--older"),
    ],
)
def test_tab_completion(line: str, expected: str, tmp_path: Path) -> None:
    """As bash calls it: the words so far, and which of them is being typed."""
    door = tmp_path / "hespotex"
    door.write_text(f'#!/bin/sh\nPYTHONPATH={CHECKOUT} exec {sys.executable} -m hespotex "$@"\n')
    door.chmod(0o755)
    script = SCRIPT.format(verbs=" ".join(VERBS), hydra="|".join(HYDRA))
    words = line.split()
    ask = [
        f"PATH={tmp_path}:$PATH",
        (
            f"COMP_WORDS=({line}); COMP_CWORD={len(words) - 1}; COMP_LINE='{line}';"
            f" COMP_POINT={len(line)}"
        ),
        "_hespotex",
        'echo "${COMPREPLY[@]}"',
    ]
    done = subprocess.run(
        ["bash", "-c", "\n".join([script, *ask])],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    assert expected in done.stdout.split(), done.stderr
