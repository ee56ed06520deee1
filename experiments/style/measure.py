"""How large, typed, explained and tested the Python of a checkout is: `README.md` beside this
file.
"""

import argparse
import ast
import io
import sys
import tokenize
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

# neither source nor tests
ASIDE = {"docs", "doc", "examples", "experiments", "notebooks", "build", "dist", "setup.py"}
TESTS = {"tests", "test", "unittests", "conftest.py"}
HEADER = (
    "| checkout | files | lines of a file | lines of a function | statements of a function | width"
    " of a line | typed functions | explained public names | lines with a comment | test lines per"
    " line |\n"
)
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

    def add(self, text: str, tree: ast.Module) -> None:
        """A file of source."""
        lines = text.splitlines()
        functions = [node for node in ast.walk(tree) if isinstance(node, Function)]
        self.widths += [len(line) for line in lines if line.strip()]
        self.files.append(sum(bool(line.strip()) for line in lines))
        self.functions += [_lines(function, lines) for function in functions]
        self.statements += [
            sum(isinstance(node, ast.stmt) for node in _inside(function)) for function in functions
        ]
        self.typed += [_is_typed(function) for function in functions]
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
            *shares,
            f"{self.comments / lines:.1%}",
            f"{self.test_lines / lines:.2f}",
        ]
        return f"| {' | '.join(cells)} |\n"


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
            found.add(text, ast.parse(text, path))
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


def _spread(values: Sequence[int]) -> str:
    """Median, 95th percentile, largest."""
    return " / ".join(f"{number:.0f}" for number in np.percentile(values, [50, 95, 100]))


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
    sys.stdout.writelines([HEADER, "|---" * 10 + "|\n", *rows])


if __name__ == "__main__":
    main()
