"""Whether a written command would be understood: `check` raises where it would not."""

import re
import runpy
import sys
import tomllib
from argparse import ArgumentParser
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from unittest.mock import patch

from conftest import CHECKOUT, compose_config
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import IntervalSweep, Override
from omegaconf import OmegaConf

from documentation.pages import split
from hespotex.cli.bare_words import gathered

SCRIPTS = {"train.py": "train", "predict.py": "predict"}
OF_SLIDES = ("predict", "statistics")
QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")
FOR_THE_SHELL = re.compile(r"[*?\[\]{}()]")  # what a shell would take for itself, outside quotes
PLACEHOLDER = "..."


class WrongCommandError(Exception):
    """The command would not do what the page says."""


@dataclass(frozen=True)
class Line:
    """A command line: as it is written, the words still to be understood, and a folder for
    outputs.
    """

    text: str
    words: list[str]
    folder: Path

    def after(self, n: int) -> "Line":
        """The line less its first words."""
        return replace(self, words=self.words[n:])


def check(text: str, folder: Path) -> None:
    """Understand one command line.

    Raises:
        Exception: of Hydra, argparse or our own, where a user would get an error too.
    """
    _check(Line(text, split(text), folder))


def _check(line: Line) -> None:
    if line.words[0] not in KINDS:
        raise WrongCommandError(
            f"no check for {line.words[0]!r}: add one to tests/documentation/checks.py"
        )
    KINDS[line.words[0]](line.after(1))


def _python(line: Line) -> None:
    first, *rest = line.words
    if first in SCRIPTS:
        _hydra(SCRIPTS[first], line.after(1))
    elif first == "-m" and rest[0] == "jupyter":
        _file(line.after(3))
    elif first == "-m":
        _verb(rest[0], line.after(2))
    else:
        _script(CHECKOUT / first, rest)


def _front_door(line: Line) -> None:
    """`hespotex VERB WORDS`, or a flag of its own."""
    first = line.words[0]
    if first not in ("--help", "--version", "--completion"):
        _verb(f"hespotex.{first.replace('-', '_')}", line.after(1))


def _verb(verb: str, line: Line) -> None:
    from command_reference import parser_of, verbs

    if verb not in verbs():
        raise WrongCommandError(f"no such command: python -m {verb}")
    if not verbs()[verb]:
        _hydra(verb.removeprefix("hespotex."), line)
    elif line.words:
        parser_of(verb).parse_args(line.words)


def _hydra(config: str, line: Line) -> None:
    if "--config-dir" in line.words:  # options of the reader's own
        return
    bare = "slides" if config in OF_SLIDES else None
    overrides = _overrides(gathered(line.words, bare))
    if FOR_THE_SHELL.search(QUOTED.sub("", line.text)):
        raise WrongCommandError("brackets and stars want quotes")
    parsed = OverridesParser.create().parse_overrides(overrides)
    several = [override.input_line for override in parsed if override.is_sweep_override()]
    if several and "-m" not in line.words:
        raise WrongCommandError(f"{several} without -m")
    composed = compose_config(config, [_first(override) for override in parsed], line.folder)
    if config in OF_SLIDES:
        composed = OmegaConf.masked_copy(
            composed, [str(key) for key in composed if key != "data"]
        )  # the checkpoint brings its rest, or nothing of it is asked
    if overrides:  # the bare command may lack what every call must give
        OmegaConf.to_container(composed, resolve=True, throw_on_missing=True)


def _overrides(words: list[str]) -> list[str]:
    """The words that change the config."""
    kept = []
    rest = iter(words)
    for word in rest:
        if word == "--cfg":
            next(rest)
        elif not word.startswith("-") and not word.endswith(PLACEHOLDER):
            kept.append(word)
    return kept


def _first(override: Override) -> str:
    """The override with the first of its values."""
    if not override.is_sweep_override():
        return str(override.input_line)
    value = override.value()
    first = (
        value.start if isinstance(value, IntervalSweep) else next(override.sweep_string_iterator())
    )
    return f"{override.get_key_element()}={first}"


class _Parsed(BaseException):
    """Leaves a script once its words were read."""


def _script(path: Path, words: list[str]) -> None:
    real = ArgumentParser.parse_args
    beside = {file.stem for file in path.parent.glob("*.py")}

    def parse(parser: ArgumentParser, *_: object) -> None:
        real(parser, words)
        raise _Parsed

    # tests of the same name
    others = {name: sys.modules.pop(name) for name in beside & set(sys.modules)}
    with (
        patch.object(ArgumentParser, "parse_args", parse),
        patch.object(sys, "path", [str(path.parent), *sys.path]),
    ):
        try:
            runpy.run_path(str(path), run_name="__main__")
        except _Parsed:
            return
        finally:
            for name in beside & set(sys.modules):
                del sys.modules[name]
            sys.modules.update(others)
    raise WrongCommandError(f"{path} reads no words")


def _make(line: Line) -> None:
    targets = re.findall(r"^(\w+):", (CHECKOUT / "Makefile").read_text(), re.MULTILINE)
    if set(line.words) - set(targets):
        raise WrongCommandError(f"make knows {targets}")


def _pip(line: Line) -> None:
    extras = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"][
        "optional-dependencies"
    ]
    asked = re.fullmatch(r"\.\[([\w,]+)\]", line.words[1])
    if asked is None or set(asked[1].split(",")) - set(extras):
        raise WrongCommandError(f"pyproject.toml has the extras {list(extras)}")


def _file(line: Line) -> None:
    if not (CHECKOUT / line.words[0]).is_file():
        raise WrongCommandError(f"no such file: {line.words[0]}")


def _of_others(_: Line) -> None:
    """Of another program, which is not ours to test."""


KINDS: dict[str, Callable[[Line], None]] = {
    "python": _python,
    "PYTHONPATH=.": _check,
    "torchrun": lambda line: _python(line.after(1)),
    "srun": lambda line: _check(line.after(2)),
    "hespotex": _front_door,
    "make": _make,
    "pip": _pip,
    "source": _of_others,
    "export": _of_others,
    "hf": _of_others,
    "wandb": _of_others,
    ".venv/bin/pre-commit": _of_others,
}
