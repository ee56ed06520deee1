"""Whether a written command would be understood: `check` raises where it would not."""

import re
import runpy
import sys
import tomllib
from argparse import ArgumentParser
from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

from conftest import CHECKOUT, compose_config
from documentation.pages import split
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import IntervalSweep, Override
from omegaconf import OmegaConf

SCRIPTS = {"train.py": "train", "predict.py": "predict"}
UNQUOTED = re.compile(r"""'[^']*'|"[^"]*"|([*?\[\]{}()])""")  # what a shell would take for itself, outside quotes
PLACEHOLDER = "..."


class WrongCommandError(Exception):
    """The command would not do what the page says."""


def check(line: str, folder: Path) -> None:
    """Understand one command line.

    Raises:
        Exception: of Hydra, argparse or our own, where a user would get an error too.
    """
    first, *rest = split(line)
    if first not in KINDS:
        raise WrongCommandError(f"no check for {first!r}: add one to tests/documentation/checks.py")
    KINDS[first](rest, line, folder)


def _python(words: list[str], line: str, folder: Path) -> None:
    if words[0] in SCRIPTS:
        _hydra(SCRIPTS[words[0]], words[1:], line, folder)
    elif words[0] == "-m" and words[1] == "jupyter":
        _file(words[3:], line, folder)
    elif words[0] == "-m":
        _verb(words[1], words[2:], line, folder)
    else:
        _script(CHECKOUT / words[0], words[1:])


def _verb(verb: str, words: list[str], line: str, folder: Path) -> None:
    from command_reference import parser_of, verbs

    if verb not in verbs():
        raise WrongCommandError(f"no such command: python -m {verb}")
    if not verbs()[verb]:
        _hydra(verb.removeprefix("hespotex."), words, line, folder)
    elif words:
        parser_of(verb).parse_args(words)


def _hydra(config: str, words: list[str], line: str, folder: Path) -> None:
    sweep, overrides = _overrides(words)
    if UNQUOTED.sub(lambda match: "!" if match[1] else "", line).count("!"):
        raise WrongCommandError("brackets and stars want quotes")
    parsed = OverridesParser.create().parse_overrides(overrides)
    several = [override.input_line for override in parsed if override.is_sweep_override()]
    if several and not sweep:
        raise WrongCommandError(f"{several} without -m")
    composed = compose_config(config, [_first(override) for override in parsed], folder)
    if config == "predict":
        composed = OmegaConf.masked_copy(composed, [key for key in composed if key != "data"])  # the checkpoint brings the rest of it
    if any("=" in word for word in words):  # the bare command may lack what every call must give
        OmegaConf.to_container(composed, resolve=True, throw_on_missing=True)


def _overrides(words: list[str]) -> tuple[bool, list[str]]:
    """Whether it is a sweep, and the words that change the config."""
    kept, rest = [], iter(words)
    for word in rest:
        if word == "--cfg":
            next(rest)
        elif not word.startswith("-") and not word.endswith(PLACEHOLDER):
            kept.append(word)
    return "-m" in words, kept


def _first(override: Override) -> str:
    """The override with the first of its values."""
    if not override.is_sweep_override():
        return str(override.input_line)
    value = override.value()
    first = value.start if isinstance(value, IntervalSweep) else next(override.sweep_string_iterator())
    return f"{override.get_key_element()}={first}"


class _Parsed(BaseException):
    """Leaves a script once its words were read."""


def _script(path: Path, words: list[str]) -> None:
    real, beside = ArgumentParser.parse_args, {file.stem for file in path.parent.glob("*.py")}

    def parse(parser: ArgumentParser, args: list[str] | None = None) -> None:
        real(parser, words)
        raise _Parsed

    others = {name: sys.modules.pop(name) for name in beside & set(sys.modules)}  # tests of the same name
    with patch.object(ArgumentParser, "parse_args", parse), patch.object(sys, "path", [str(path.parent), *sys.path]):
        try:
            runpy.run_path(str(path), run_name="__main__")
        except _Parsed:
            return
        finally:
            for name in beside & set(sys.modules):
                del sys.modules[name]
            sys.modules.update(others)
    raise WrongCommandError(f"{path} reads no words")


def _torchrun(words: list[str], line: str, folder: Path) -> None:
    _python(words[1:], line, folder)


def _make(words: list[str], line: str, folder: Path) -> None:
    targets = re.findall(r"^(\w+):", (CHECKOUT / "Makefile").read_text(), re.MULTILINE)
    if set(words) - set(targets):
        raise WrongCommandError(f"make knows {targets}")


def _pip(words: list[str], line: str, folder: Path) -> None:
    extras = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    asked = re.fullmatch(r"\.\[([\w,]+)\]", words[1])
    if asked is None or set(asked[1].split(",")) - set(extras):
        raise WrongCommandError(f"pyproject.toml has the extras {list(extras)}")


def _file(words: list[str], line: str, folder: Path) -> None:
    if not (CHECKOUT / words[0]).is_file():
        raise WrongCommandError(f"no such file: {words[0]}")


def _of_others(words: list[str], line: str, folder: Path) -> None:
    """Of another program, which is not ours to test."""


def _environment(words: list[str], line: str, folder: Path) -> None:
    """`PYTHONPATH=. python ...`"""
    check(line.split(maxsplit=1)[1], folder)


KINDS: dict[str, Callable[[list[str], str, Path], None]] = {
    "python": _python,
    "PYTHONPATH=.": _environment,
    "torchrun": _torchrun,
    "make": _make,
    "pip": _pip,
    "source": _of_others,
    "hf": _of_others,
    "wandb": _of_others,
    ".venv/bin/pre-commit": _of_others,
}
