"""Every command of every page would be understood, and every key in running text exists."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from conftest import CHECKOUT

from documentation.checks import check
from documentation.pages import commands, pages, spans, split

# test_extend.py runs those
PAGES = [path for path in pages() if commands(path) and path.parent.name != "extend"]
HELPS = [path for path in sorted((CHECKOUT / "conf").glob("*.yaml")) if commands(path)]
# a study's words are of its commit
TEXTS = [path for path in pages() if "experiments" not in path.parts]
NOWHERE = Path("nowhere")  # the run's folder, in which composing writes nothing
WRITTEN = {str(path.relative_to(CHECKOUT)): path for path in [*PAGES, *HELPS]}


@pytest.mark.parametrize("path", WRITTEN.values(), ids=WRITTEN)
def test_commands_are_understood(path: Path) -> None:
    wrong = {line: reason for line in commands(path) if (reason := _reason(line))}
    assert not wrong


@cache
def _reason(line: str) -> str:
    """Why a command would not be understood, or ""; asked once for all pages."""
    try:
        check(line, NOWHERE)
    except (Exception, SystemExit) as error:
        return f"{type(error).__name__}: {error}"
    return ""


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("python train.py model=rigde", "rigde"),
        ("python train.py data.reader.rot=PATH", "rot"),
        ("python train.py seed=0,1", "without -m"),
        ("python train.py -m fold.index=range(3)", "quotes"),
        ("python -m hespotex.store list --oldest 3", "SystemExit"),
        ("python -m hespotex.sumary outputs/mine", "no such command"),
        ("hespotex sumary outputs/mine", "no such command"),
        ("make demonstration", "make knows"),
        ('pip install ".[everything]"', "extras"),
        ("docker run hespotex", "no check"),
    ],
)
def test_a_wrong_command_is_found(line: str, found: str) -> None:
    assert found in _reason(line)


def test_there_are_commands_to_check() -> None:
    assert sum(len(commands(path)) for path in WRITTEN.values()) > 80


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: str(path.relative_to(CHECKOUT)))
def test_keys_in_running_text_exist(path: Path) -> None:
    unknown = [f"{key}={value}" for key, value in _settings(path) if not _is_known(key, value)]
    assert not unknown


def _settings(path: Path) -> Iterator[tuple[str, str]]:
    for span in spans(path):
        for word in _words(span):
            key, equals, value = word.partition("=")
            if (
                equals
                and key.lower() == key
                and key.replace("/", "a").replace(".", "a").replace("@", "a").isidentifier()
            ):
                yield key, value


def _words(span: str) -> list[str]:
    try:
        return split(span)
    except ValueError:  # an open quote: no command
        return []


def _is_known(key: str, value: str) -> bool:
    from config_reference import read_options

    options = read_options()
    group = key.split("@")[0]
    own = {option.name for option in options if option.group == group}
    if own:
        return value in ("", "...") or set(value.split(",")) <= own
    keys = [known.path for option in options for known in option.keys]
    return key.startswith("hydra.") or any(
        key == known or key.startswith(f"{known}.") for known in keys
    )


def test_an_unknown_key_is_found() -> None:
    assert _is_known("model", "ridge")
    assert _is_known("encoder@encoder.parts.second", "uni")
    assert not _is_known("model", "rigde")
    assert not _is_known("data.standardise", "none")


@pytest.mark.parametrize("path", pages(), ids=lambda path: str(path.relative_to(CHECKOUT)))
def test_files_named_in_running_text_exist(path: Path) -> None:
    named = [
        span
        for span in spans(path)
        if re.fullmatch(r"(hespotex|conf|experiments|tests|docs)/[\w./-]*", span)
    ]
    assert not [name for name in named if not (CHECKOUT / name).exists()]


def test_a_run_leaves_the_files_that_the_page_lists(ridge_run: Path) -> None:
    page = (CHECKOUT / "docs" / "reference" / "formats.md").read_text()
    table = page[page.index("## A run") : page.index("## A sweep")]
    listed = re.findall(r"^\| `([^`]+)` \|", table, re.MULTILINE)
    # by the summary, by models with epochs, not drawn here
    later = {"audit.json", "csv/metrics.csv", "maps/ID_best_GENE.png"}
    assert later < set(listed)
    assert not [
        name for name in set(listed) - later if not list(ridge_run.glob(name.replace("ID", "*")))
    ]
