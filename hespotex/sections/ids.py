"""Mappings by id that lose nothing: a `dict` keeps the last of two equal keys without a word."""

import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from hespotex.common.errors import InputError

Value = TypeVar("Value")
SHOWN = 5


def plain_id(value: Any) -> str:
    """An id, a patient or another name as text: `P1`, b"P1", 1, 1.0 and True as they are written in
    words.

    A whole number is the same name whether a file holds it as 1 or as 1.0; a blank one is "".
    """
    if value is None or (isinstance(value, float) and value != value):
        return ""
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if hasattr(value, "item") and not isinstance(value, str):
        value = value.item()
    if isinstance(value, float):
        whole = value == value and value.is_integer()
        value = int(value) if whole else ("" if value != value else value)
    text = str(value).strip()
    return "" if text.lower() in ("nan", "none", "<na>", "nat") else text


def typed_ids(ids: Any, choices: Sequence[str]) -> list[str]:
    """The ids that a config asks for, as text; `choices` are the ids that there are.

    One id may stand without brackets. Hydra and YAML read 151507, 2026_05_01 and 1.10 as numbers:
    such a value is the one known id that is the same number.
    """
    values = ids if isinstance(ids, list | tuple | set) else [ids]
    return [_typed_id(value, choices) for value in values]


def typed_keys(mapping: Mapping[Any, Value], choices: Sequence[str]) -> dict[str, Value]:
    """A mapping of the config with its ids as text, see `typed_ids`."""
    pairs = zip(typed_ids(list(mapping), choices), mapping.values(), strict=True)
    return by_id(pairs, "ids of one number in the config", "write them in quotes")


def _typed_id(value: Any, choices: Sequence[str]) -> str:
    text = str(value).strip()
    if text in choices or isinstance(value, str | bool) or not isinstance(value, int | float):
        return text
    same = [name for name in choices if _number(name) == value]
    return same[0] if len(same) == 1 else text


def _number(name: str) -> float | None:
    try:
        return float(name.replace("_", ""))
    except ValueError:
        return None


def by_id(pairs: Iterable[tuple[str, Value]], label: str, way_out: str) -> dict[str, Value]:
    """A dict of all pairs.

    Args:
        pairs: id and value.
        label: what the ids are of, in words, such as "sections in FOLDER".
        way_out: what the user can do about an id that is there twice.

    Raises:
        InputError: ids that are there more than once, with the values of the first.
    """
    held: defaultdict[str, list[Value]] = defaultdict(list)
    for name, value in pairs:
        held[name].append(value)
    if twice := [name for name, values in held.items() if len(values) > 1]:
        first = twice[0]
        examples = ", ".join(str(value) for value in held[first][:SHOWN])
        raise InputError(
            f"{label}: {len(twice)} ids are there more than once, such as {first!r} ({examples});"
            f" {way_out}"
        )
    return {name: values[0] for name, values in held.items()}


def check_unique(names: Sequence[str], label: str, way_out: str) -> None:
    """Refuse names of which one is there twice.

    Raises:
        InputError: naming the first of them.
    """
    if len(set(names)) == len(names):
        return
    count = Counter(names)
    twice = [name for name in count if count[name] > 1]
    raise InputError(
        f"{label}: {len(twice)} names occur more than once, such as {twice[:3]}; {way_out}"
    )


def name_files(paths: Sequence[Path], key: str) -> dict[str, Path]:
    """Files by their names without ending; those of one name get their folder's name before it,
    such as `P1_adata`.

    Args:
        paths: in the user's order; links keep their own names.
        key: config key of the list.

    Raises:
        InputError: one file twice, or names that stay equal.
    """
    places = [os.path.abspath(path) for path in paths]  # noqa: PTH100, links stay
    by_id(zip(places, paths, strict=True), f"{key}", "name each file once")
    stems = [path.stem for path in paths]
    names = [
        path.stem if stems.count(path.stem) == 1 else f"{_folder(path)}_{path.stem}"
        for path in paths
    ]
    return by_id(
        zip(names, paths, strict=True),
        f"files of one name in {key}",
        "rename the files, or their folders",
    )


def name_of(folder: Path) -> str:
    """The name of a folder as the user sees it: of a link its own, of `.` that of the current
    folder.
    """
    return Path(os.path.abspath(folder)).name  # noqa: PTH100, resolve would follow links


def _folder(path: Path) -> str:
    return name_of(path.parent)


def files_in(folder: Path, suffix: str) -> list[Path]:
    """The files of a folder with this ending, in the order of their names; hidden ones are left
    out.

    Half-written files (`.A.123.part.h5ad`) and those that macOS adds (`._A.h5ad`) are hidden.
    """
    files = (path for path in folder.iterdir() if path.suffix.lower() == suffix)
    return sorted(path for path in files if not path.name.startswith(".") and path.is_file())


def h5ads_in(folder: Path) -> dict[str, Path]:
    """The h5ad files of a folder by section id."""
    files = ((path.stem, path) for path in files_in(folder, ".h5ad"))
    return by_id(files, f"h5ad files in {folder}", "rename or remove one of them")
