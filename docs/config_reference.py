"""The configuration reference, out of `conf/`: each group and option, each key with its default and
its comment.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import yaml

CONF = Path(__file__).parents[1] / "conf"
SHARED = "/shared"  # a folder of this name holds parts that options start from, no options
TARGET = "_target_"  # key of the class that a part builds


@dataclass(frozen=True)
class Key:
    """One key of one option; `path` as it is written on the command line."""

    path: str
    default: str
    comment: str


@dataclass(frozen=True)
class Option:
    """One file of `conf/`; `group` is empty for the config of a command."""

    group: str
    name: str
    about: str
    parents: list[str]
    chosen: list[str]
    keys: list[Key]
    built: str = ""


@cache
def read_options() -> list[Option]:
    """All options, by group and name."""
    return [
        read_option(path)
        for path in sorted(CONF.rglob("*.yaml"))
        if "local" not in path.relative_to(CONF).parts
    ]


def read_option(path: Path) -> Option:
    """One file: the comment lines at its head, what it takes over, and its own keys."""
    text = path.read_text(encoding="utf-8")
    lines = text.splitlines()
    node = yaml.compose(text)
    group = path.parent.relative_to(CONF).as_posix().removeprefix(".")
    named = next(
        (line.split()[-1] for line in lines if line.startswith("# @package ")), _package(group)
    )
    head = [line.removeprefix("# ") for line in _head(lines) if not line.startswith("# @package")]
    prefix = "" if named == "_global_" or not group else f"{named}."
    left_out = ("defaults",) if group else ("defaults", "hydra")
    content = yaml.safe_load(text) or {}
    option = Option(group, path.stem, "\n".join(head), _parents(content), _chosen(content), [])
    if not isinstance(node, yaml.MappingNode):  # nothing but comments
        return option
    return replace(option, keys=list(_keys(node, lines, prefix, left_out)), built=_target(node))


def _head(lines: list[str]) -> list[str]:
    end = next((i for i, line in enumerate(lines) if not line.startswith("#")), len(lines))
    return lines[:end]


def _package(group: str) -> str:
    """Where the keys of a group stand in the config; what options share stands where the option
    stands.
    """
    return group.removesuffix(SHARED).replace("/", ".")


def _parents(content: dict[str, Any]) -> list[str]:
    """Options of the same group that an option starts from."""
    return [
        entry.split("@")[0]
        for entry in content.get("defaults", [])
        if isinstance(entry, str) and entry != "_self_"
    ]


def _chosen(content: dict[str, Any]) -> list[str]:
    """Options of other groups that it takes, as `GROUP=OPTION`."""
    entries = [entry for entry in content.get("defaults", []) if isinstance(entry, dict)]
    pairs = [
        (str(group).removeprefix("override ").removeprefix("/"), option)
        for entry in entries
        for group, option in entry.items()
    ]
    return [
        f"{group}={option}"
        for group, option in pairs
        if option is not None and not group.startswith("optional ")
    ]


def _keys(
    node: yaml.MappingNode, lines: list[str], prefix: str, left_out: tuple[str, ...] = ()
) -> Iterator[Key]:
    """Every leaf; a part that builds an object stands before its keys, with the class's name as its
    default.
    """
    for name, value in node.value:
        if name.value in left_out or name.value in (TARGET, "_partial_"):
            continue
        path = prefix + name.value
        if isinstance(value, yaml.MappingNode) and not value.flow_style:
            built = _target(value)
            comment = _comment(lines[name.end_mark.line])
            if built or comment:
                yield Key(path, built.rpartition(".")[2], comment)
            yield from _keys(value, lines, f"{path}.")
        else:
            start = value.start_mark
            end = value.end_mark
            yield Key(
                path,
                lines[start.line][start.column : end.column],
                _comment(lines[end.line][end.column :]),
            )


def _target(node: yaml.MappingNode) -> str:
    return next((str(value.value) for name, value in node.value if name.value == TARGET), "")


def _comment(rest: str) -> str:
    found = re.search(r"(?:^|\s)#\s+(.*)$", rest)
    return found[1] if found else ""


def pages() -> dict[str, str]:
    """Page of each group by name, and `commands` for the configs of the commands themselves."""
    options = read_options()
    groups = sorted({option.group for option in options})
    found = {
        "commands" if not group else group.replace("/", "-"): _page(group, options)
        for group in groups
    }
    return found | {"index": _index(list(found))}


def _index(names: list[str]) -> str:
    lines = [
        "# Configuration",
        "",
        "Made from `conf/`: group, option, key, default, and the line that says what it does.",
        "",
    ]
    lines += [
        "```{toctree}",
        ":maxdepth: 1",
        "",
        *[name for name in names if name != "commands"],
        "commands",
        "```",
    ]
    return "\n".join(lines) + "\n"


def _page(group: str, options: list[Option]) -> str:
    own = [option for option in options if option.group == group]
    lines = [f"# {_heading(group)}", ""]
    for option in own:
        lines += [f"## {_title(option)}", "", option.about, ""]
        if option.parents:
            lines += [f"Starts from {', '.join(f'`{name}`' for name in option.parents)}.", ""]
        if option.chosen:
            lines += [f"Takes {', '.join(f'`{choice}`' for choice in option.chosen)}.", ""]
        if option.built:
            lines += [f"Builds `{option.built}`.", ""]
        if option.keys:
            lines += ["| key | default | what it does |", "|---|---|---|"]
            lines += [
                f"| {_code(key.path)} | {_code(key.default)} | {_cell(key.comment)} |"
                for key in option.keys
            ] + [""]
    return "\n".join(lines)


def _heading(group: str) -> str:
    if group.endswith(SHARED):
        return f"What options of `{group.removesuffix(SHARED)}` share"
    return f"Group `{group}`" if group else "Configs of the commands"


def _title(option: Option) -> str:
    if option.group.endswith(SHARED):
        return f"{SHARED[1:]}/{option.name}"
    return f"{option.group}={option.name}" if option.group else f"{option.name}.yaml"


def _code(text: str) -> str:
    return f"`` {_cell(text)} ``" if text else ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
