"""The command reference: what each command prints for `--help`."""

import os
import re
import subprocess
import sys
from argparse import ArgumentParser
from importlib import import_module
from pathlib import Path
from unittest.mock import patch

CHECKOUT = Path(__file__).parents[1]
SCRIPTS = ("train.py", "predict.py")
WIDTH = "100"  # characters a line


class _ParserFound(BaseException):
    """Leaves a command's `main` once its parser is complete."""


def verbs() -> dict[str, bool]:
    """Commands `python -m NAME`, and whether argparse reads their words (else Hydra does)."""
    texts = {
        path.stem: path.read_text() for path in sorted((CHECKOUT / "hespotex").glob("[a-z]*.py"))
    }
    return {
        f"hespotex.{name}": "Parser(" in text
        for name, text in texts.items()
        if 'if __name__ == "__main__"' in text
    }


def parser_of(verb: str) -> ArgumentParser:
    """The parser that the command's `main` builds; nothing else of it runs."""
    found: list[ArgumentParser] = []

    def stop(parser: ArgumentParser, *_: object) -> None:
        found.append(parser)
        raise _ParserFound

    with patch.object(ArgumentParser, "parse_args", stop):
        try:
            import_module(verb).main()
        except _ParserFound:
            return found[0]
    raise RuntimeError(f"{verb}: main reads no words")


def page() -> str:
    """One chapter a command."""
    texts = {script: _hydra_help([script]) for script in SCRIPTS}
    for verb, by_argparse in verbs().items():
        if f"{verb.removeprefix('hespotex.')}.py" in SCRIPTS:
            continue
        texts[f"-m {verb}"] = _argparse_help(verb) if by_argparse else _hydra_help(["-m", verb])
    lines = ["# Commands", "", "What each command says of itself with `--help`.", ""]
    for words, text in texts.items():
        lines += [f"## `python {words}`", "", "```none", text.strip(), "```", ""]
    return "\n".join(lines)


def _argparse_help(verb: str) -> str:
    with patch.dict(os.environ, COLUMNS=WIDTH):
        return parser_of(verb).format_help()


def _hydra_help(words: list[str]) -> str:
    env = os.environ | {"PYTHONPATH": str(CHECKOUT), "PYTHONWARNINGS": "ignore"}
    done = subprocess.run(
        [sys.executable, *words, "--help"],
        cwd=CHECKOUT,
        env=env,
        capture_output=True,
        text=True,
        check=True,
    )
    return re.sub(
        r"^[^\n]* is powered by Hydra\.\n|\n+Powered by Hydra.*", "", done.stdout, flags=re.DOTALL
    )
