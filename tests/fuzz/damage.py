"""One damage to one file, drawn from a seed: bytes, cells of a table, values of a JSON, data of an
HDF5.
"""

import contextlib
import gzip
import json
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from .sets import IMAGES

CELLS = [
    "",
    " ",
    "nan",
    "NaN",
    "[]",
    "{}",
    '"',
    "'",
    "1e308",
    "-1e308",
    "-1",
    "1,5",
    "abc",
    "0",
    "\xff",
    "1e400",
    "TRUE",
    "9" * 30,
]
VALUES: list[Any] = [
    None,
    [],
    {},
    "",
    "x",
    1e308,
    -1,
    0,
    True,
    [1, 2],
    {"a": 1},
    [[]],
    float("inf"),
    [None, 1],
]
Draw = random.Random


def damage(root: Path, draw: Draw) -> str:
    """Damage one file below `root`; says what was done."""
    files = sorted(p for p in root.rglob("*") if p.is_file() and p.suffix not in IMAGES)
    path = draw.choice(files)
    kinds: list[Callable[[Path, Draw], str]] = [_bytes]
    name = path.name.removesuffix(".gz")
    if name.endswith((".csv", ".tsv", ".txt", ".mtx")):
        kinds += [_cell, _cell, _line]
    elif name.endswith(".json"):
        kinds += [_json, _json]
    elif name.endswith((".h5", ".h5ad")):
        kinds += [_hdf5, _hdf5, _hdf5]
    how = draw.choice(kinds)(path, draw)
    return f"{path.relative_to(root)}: {how}"


def _content(path: Path) -> bytes:
    raw = path.read_bytes()
    return gzip.decompress(raw) if path.suffix == ".gz" else raw


def _put(path: Path, content: bytes) -> None:
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)


def _bytes(path: Path, draw: Draw) -> str:
    raw = bytearray(path.read_bytes() if draw.random() < 0.3 else _content(path))
    packed = path.suffix == ".gz" and bytes(raw[:2]) == b"\x1f\x8b"
    place = draw.randrange(max(1, len(raw)))
    kind = draw.choice(["0xff", "quote", "empty", "cut", "zeroed", "noise", "twice"])
    if kind == "0xff":
        raw[place : place + 1] = b"\xff"
    elif kind == "quote":
        raw[place:place] = b'"'
    elif kind == "empty":
        raw = bytearray()
    elif kind == "cut":
        raw = raw[:place]
    elif kind == "zeroed":
        raw[place : place + 64] = bytes(len(raw[place : place + 64]))
    elif kind == "noise":
        raw[place : place + 8] = draw.randbytes(len(raw[place : place + 8]))
    else:
        raw = raw + raw
    if packed:
        path.write_bytes(bytes(raw))
    else:
        _put(path, bytes(raw))
    return f"{kind} at {place}"


def _cell(path: Path, draw: Draw) -> str:
    lines = _content(path).decode("utf-8", "replace").split("\n")
    number = draw.randrange(len(lines))
    sep = "\t" if "\t" in lines[number] else ","
    cells = lines[number].split(sep)
    value = draw.choice(CELLS)
    place = draw.randrange(len(cells))
    cells[place] = value
    lines[number] = sep.join(cells)
    _put(path, "\n".join(lines).encode("utf-8"))
    return f"cell {place} of line {number} is {value!r}"


def _line(path: Path, draw: Draw) -> str:
    lines = _content(path).decode("utf-8", "replace").split("\n")
    number = draw.randrange(len(lines))
    kind = draw.choice(["gone", "twice", "blank", "only"])
    if kind == "gone":
        del lines[number]
    elif kind == "twice":
        lines.insert(number, lines[number])
    elif kind == "blank":
        lines[number] = ""
    else:
        lines = [lines[number]]
    _put(path, "\n".join(lines).encode("utf-8"))
    return f"line {number} {kind}"


def _json(path: Path, draw: Draw) -> str:
    content = json.loads(_content(path))
    value = draw.choice(VALUES)
    if not content or draw.random() < 0.1:
        _put(path, json.dumps(value).encode())
        return f"the whole is {value!r}"
    key = draw.choice(sorted(content))
    held = content[key]
    if isinstance(held, list) and held and draw.random() < 0.7:
        held[draw.randrange(len(held))] = value
    elif draw.random() < 0.2:
        del content[key]
    else:
        content[key] = value
    _put(path, json.dumps(content).encode())
    return f"{key} is {value!r}"


def _hdf5(path: Path, draw: Draw) -> str:
    names: list[str] = []
    with h5py.File(path, "r+") as file:
        file.visit(names.append)
        name = draw.choice(names)
        if draw.random() < 0.15 and len(file[name].attrs):
            key = draw.choice(sorted(file[name].attrs))
            value = draw.choice(["x", -1, 1e308, None])
            with contextlib.suppress(Exception):
                del file[name].attrs[key]
                if value is not None:
                    file[name].attrs[key] = value
            return f"attribute {key} of {name} is {value!r}"
        return _data(file, name, draw)


def _data(file: Any, name: str, draw: Draw) -> str:
    held = file[name][()] if isinstance(file[name], h5py.Dataset) else None
    attributes = dict(file[name].attrs)
    kind = draw.choice(["gone", "empty", "text", "number", "one", "cut", "floats", "deeper"])
    array = np.atleast_1d(np.asarray(held)) if held is not None else np.zeros(0)
    del file[name]
    if kind == "gone":
        return f"{name} gone"
    made: Any = {
        "empty": np.zeros(0),
        "text": np.array([b"x"] * max(1, len(array))),
        "number": draw.choice([1e308, -1, 0]),
        "one": array,
        "cut": array[: len(array) // 2],
        "floats": np.full(len(array), np.nan),
        "deeper": np.zeros((2, 2, 2)),
    }[kind]
    if kind == "one" and array.size and array.dtype.kind in "iuf":
        flat = array.reshape(-1).copy()
        with contextlib.suppress(OverflowError, ValueError):
            flat[draw.randrange(flat.size)] = draw.choice([-1, 2**30, np.nan, 1e308])
        made = flat.reshape(array.shape)
    with contextlib.suppress(Exception):
        file[name] = made
        for key, value in attributes.items():
            file[name].attrs[key] = value
    return f"{name} {kind}"


def copy_links(source: Path, target: Path) -> None:
    """A copy of a folder; images are links, all else is copied."""
    for path in source.rglob("*"):
        place = target / path.relative_to(source)
        if path.is_dir():
            place.mkdir(parents=True, exist_ok=True)
        elif path.suffix in IMAGES:
            place.parent.mkdir(parents=True, exist_ok=True)
            os.link(path, place)
        else:
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(path.read_bytes())
