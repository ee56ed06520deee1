"""How large, typed, explained and tested the Python of a checkout is: `README.md` beside this
file.
"""

import argparse
import ast
import io
import sys
import tokenize
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

# neither source nor tests
ASIDE = {"docs", "doc", "examples", "experiments", "notebooks", "build", "dist", "setup.py"}
TESTS = {"tests", "test", "unittests", "conftest.py"}
COLUMNS = (
    "checkout",
    "files",
    "lines of a file",
    "lines of a function",
    "statements of a function",
    "width of a line",
    "lines over 100",
    "typed functions",
    "explained public names",
    "lines with a comment",
    "test lines per line",
    "tuple assignments in 1,000 lines",
    "constructor parameters",
    "files of a folder",
    "imported by",
    "imports",
)
LONG = 100  # characters
Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass
class Measured:
    """Numbers of all files together; blank lines never count, the docstring of a function does not
    count as its line.
    """

    files: list[int] = field(default_factory=list)
    functions: list[int] = field(default_factory=list)
    statements: list[int] = field(default_factory=list)
    widths: list[int] = field(default_factory=list)
    typed: list[int] = field(default_factory=list)
    explained: list[int] = field(default_factory=list)
    comments: int = 0
    test_lines: int = 0
    tuples: int = 0  # assignments such as `a, b = c, d`
    parameters: list[int] = field(default_factory=list)  # of `__init__`, less `self`
    folders: Counter[Path] = field(default_factory=Counter)
    imports: dict[str, set[str]] = field(default_factory=dict)  # names in each module

    def add(self, place: Path, text: str, tree: ast.Module) -> None:
        """A file of source, at its place below the checkout."""
        self.folders[place.parent] += 1
        self.imports[_module(place)] = set(_imported(tree, place))
        self.tuples += sum(_is_of_tuples(node) for node in ast.walk(tree))
        lines = text.splitlines()
        functions = [node for node in ast.walk(tree) if isinstance(node, Function)]
        self.widths += [len(line) for line in lines if line.strip()]
        self.files.append(sum(bool(line.strip()) for line in lines))
        self.functions += [_lines(function, lines) for function in functions]
        self.statements += [
            sum(isinstance(node, ast.stmt) for node in _inside(function)) for function in functions
        ]
        self.typed += [_is_typed(function) for function in functions]
        self.parameters += [_n_taken(one) for one in functions if one.name == "__init__"]
        self.explained += [ast.get_docstring(node) is not None for node in _public(tree)]
        self.comments += sum(
            token.type == tokenize.COMMENT
            for token in tokenize.generate_tokens(io.StringIO(text).readline)
        )

    def markdown(self, name: str) -> str:
        """A row of the table."""
        lines = sum(self.files)
        spreads = [
            _spread(values) for values in (self.files, self.functions, self.statements, self.widths)
        ]
        shares = [f"{np.mean(values):.1%}" for values in (self.typed, self.explained)]
        cells = [
            name,
            str(len(self.files)),
            *spreads,
            f"{np.mean(np.array(self.widths) > LONG):.1%}",
            *shares,
            f"{self.comments / lines:.1%}",
            f"{self.test_lines / lines:.2f}",
            f"{1000 * self.tuples / lines:.1f}",
            _spread(self.parameters or [0], 90),
            _spread(list(self.folders.values())),
            *map(_spread, self._links()),
        ]
        return f"| {' | '.join(cells)} |\n"

    def _links(self) -> tuple[list[int], list[int]]:
        """How many modules import each one, and how many each one imports; of its own checkout."""
        known = set(self.imports)
        targets = {
            module: {name for name in map(partial(_known, known), names) if name} - {module}
            for module, names in self.imports.items()
        }
        counted = Counter(name for own in targets.values() for name in own)
        return [counted[module] for module in known], [len(own) for own in targets.values()]


def measure(checkout: Path) -> Measured:
    """Measure all Python below a folder but documentation and studies; empty files do not count."""
    found = Measured()
    for path in sorted(checkout.rglob("*.py")):
        parts = path.relative_to(checkout).parts
        if ASIDE.intersection(parts) or any(part.startswith(".") for part in parts):
            continue
        if not (text := path.read_text(encoding="utf-8")).strip():
            continue
        if TESTS.intersection(parts) or path.name.startswith("test_"):
            found.test_lines += sum(bool(line.strip()) for line in text.splitlines())
        else:
            found.add(path.relative_to(checkout), text, ast.parse(text, path))
    if not found.functions:
        raise SystemExit(
            f"{checkout} holds no Python source: give the folder of a checkout or of an unpacked"
            " release"
        )
    return found


def _lines(function: Function, lines: list[str]) -> int:
    """From `def` to the last line."""
    own = range(function.lineno, (function.end_lineno or 0) + 1)
    first = function.body[0]
    said = (
        range(first.lineno, (first.end_lineno or 0) + 1)
        if ast.get_docstring(function) is not None
        else ()
    )
    return sum(bool(lines[number - 1].strip()) for number in own if number not in said)


def _inside(function: Function) -> Iterator[ast.AST]:
    for statement in function.body[ast.get_docstring(function) is not None :]:
        yield from ast.walk(statement)


def _is_typed(function: Function) -> bool:
    """Every parameter but self and cls has a type, and so has what is returned (not asked of
    `__init__`).
    """
    arguments = function.args
    named = [
        *arguments.posonlyargs,
        *arguments.args,
        *arguments.kwonlyargs,
        arguments.vararg,
        arguments.kwarg,
    ]
    asked = [one for one in named if one is not None and one.arg not in ("self", "cls")]
    return all(one.annotation for one in asked) and (
        function.returns is not None or function.name == "__init__"
    )


def _public(node: ast.Module | ast.ClassDef) -> Iterator[Function | ast.ClassDef]:
    """Classes, functions and methods without an underscore; not what stands inside a function."""
    for child in node.body:
        if isinstance(child, Function | ast.ClassDef) and not child.name.startswith("_"):
            yield child
            if isinstance(child, ast.ClassDef):
                yield from _public(child)


def _spread(values: Sequence[int], high: float = 95) -> str:
    """Median, 95th or another percentile, largest."""
    return " / ".join(f"{number:.0f}" for number in np.percentile(values, [50, high, 100]))


def _n_taken(function: Function) -> int:
    """Parameters with a name, less `self`."""
    arguments = function.args
    return len([*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]) - 1


def _is_of_tuples(node: ast.AST) -> bool:
    """Whether it is an assignment of several values to several names at once."""
    return (
        isinstance(node, ast.Assign)
        and isinstance(node.value, ast.Tuple)
        and any(isinstance(target, ast.Tuple) for target in node.targets)
    )


def _module(place: Path) -> str:
    """Dotted name of a file; of `__init__.py` that of its folder."""
    parts = [part for part in place.with_suffix("").parts if part != "src"]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _imported(tree: ast.Module, place: Path) -> Iterator[str]:
    """Dotted names that a file imports, whole."""
    package = _module(place.parent / "__init__.py").split(".")
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = package[: len(package) - node.level + 1] if node.level else []
            base = [*start, *filter(None, [node.module])]
            yield from (".".join([*base, name.name]) for name in node.names)


def _known(modules: set[str], name: str) -> str | None:
    """The module of the checkout that a dotted name is, or is in."""
    parts = name.split(".")
    for n in range(len(parts), 0, -1):
        if ".".join(parts[:n]) in modules:
            return ".".join(parts[:n])
    return None


def main() -> None:
    """A table on standard output, a row for each folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "checkouts",
        type=Path,
        nargs="+",
        metavar="PATH",
        help="folder of a checkout or an unpacked release",
    )
    rows = [measure(path).markdown(path.resolve().name) for path in parser.parse_args().checkouts]
    header = f"| {' | '.join(COLUMNS)} |\n"
    sys.stdout.writelines([header, "|---" * len(COLUMNS) + "|\n", *rows])


if __name__ == "__main__":
    main()
