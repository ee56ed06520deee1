"""Paths as people type them: `~` for the home folder, and names with brackets, commas and spaces
taken as they stand.
"""

import re
from collections.abc import Sequence
from glob import escape, glob
from pathlib import Path

HOME = re.compile(r"(?<![^=\[,{:\s'\"])~(?=/|$)")  # a ~ that begins a path, alone or in a list
KEY = re.compile(r"(?P<key>[+~]{0,2}[\w./@-]+)=(?P<value>.*)", re.DOTALL)
PLAIN = re.compile(r"[\w./+%@?|*-]*")  # what Hydra takes without quotes, besides spaces
PATH = re.compile(r"\.{0,2}/[^,\[\]{}'\"$]*")  # of a file that is yet to be written, too
OPTION = re.compile(r"(?P<key>--[\w-]+)=(?P<value>.*)", re.DOTALL)


def typed_path(text: str | Path) -> Path:
    """The path, `~` and `~user` at its beginning replaced by the home folder; nothing else is
    expanded.
    """
    try:
        return Path(text).expanduser()
    except RuntimeError:  # no such user: a folder may be called so
        return Path(text)


def matching_paths(pattern: str) -> list[Path]:
    """The file or folder of exactly this name, else what the pattern (`*`, `?`, `[...]`) matches,
    sorted.

    Folders of the pattern that are there as they are written are taken so, whatever brackets they
    have.
    """
    path = typed_path(pattern)
    if path.exists():
        return [path]
    base = Path(path.anchor)
    for name in path.parts[len(base.parts) :]:
        if not (base / name).exists():
            break
        base /= name
    rest = path.parts[len(base.parts) :]
    pattern = str(Path(escape(str(base)), *rest))
    return [Path(match) for match in sorted(glob(pattern))]  # noqa: PTH207, absolute patterns


def typed_words(arguments: Sequence[str]) -> list[str]:
    """The words of a Hydra command line, such as `slides=~/a (1).svs`, as Hydra understands
    them.
    """
    return [_typed(word) for word in arguments]


def typed_options(arguments: Sequence[str]) -> list[str]:
    """The words of other command lines: the shell leaves the `~` of `--slides=~/a.csv` alone."""
    return [
        f"{m['key']}={typed_path(m['value'])}" if (m := OPTION.fullmatch(word)) else _home(word)
        for word in arguments
    ]


def _home(word: str) -> str:
    return str(typed_path(word)) if word.startswith("~/") else word


def _typed(word: str) -> str:
    match = KEY.fullmatch(word)
    if match is None:
        return word
    value = match["value"]
    if _is_there(value):
        return f"{match['key']}={quoted(str(typed_path(value)))}"
    if not HOME.search(value):
        return word
    if HOME.match(value) and not re.search(r"[,\[\]{}'\"]", value):
        return f"{match['key']}={quoted(str(typed_path(value)))}"
    return f"{match['key']}={HOME.sub(lambda _: str(Path.home()), value)}"


def _is_there(value: str) -> bool:
    """Whether a value that Hydra would not take as one plain word is a path, or matches files, as
    it stands.
    """
    if PLAIN.fullmatch(value) or "/" not in value:
        return False
    if PATH.fullmatch(value):
        return True
    try:
        return bool(matching_paths(value))
    except (OSError, ValueError):  # too long, or no path at all
        return False


def quoted(value: str) -> str:
    """A value in quotes, where Hydra needs them."""
    if PLAIN.fullmatch(value):
        return value
    escaped = re.sub(r"(\\*)'", lambda match: match[1] * 2 + r"\'", value)
    return f"'{escaped}'"
