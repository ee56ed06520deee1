"""What stands on the pages: blocks, commands and words in running text."""

import re
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path

from conftest import CHECKOUT

sys.path.append(str(CHECKOUT / "docs"))  # the generator of the reference pages

FENCE = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INDENTED = re.compile(r"^    (python .*)$", re.MULTILINE)
HELP = re.compile(r"^ +(python [^`]*?)(?:  .*)?$", re.MULTILINE)
SPAN = re.compile(r"`([^`\n]+)`")
TYPED = ("sh", "")  # languages of blocks that are for typing; the README's have none


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    language: str
    text: str


def pages() -> list[Path]:
    """All pages that people read: README, CONTRIBUTING, documentation, studies; not what is
    generated.
    """
    found = [
        *CHECKOUT.glob("*.md"),
        *(CHECKOUT / "docs").rglob("*.md"),
        *(CHECKOUT / "experiments").rglob("*.md"),
    ]
    return sorted(path for path in found if "generated" not in path.parts)


def blocks(path: Path) -> list[Block]:
    return [Block(*match.groups()) for match in FENCE.finditer(path.read_text(encoding="utf-8"))]


def commands(path: Path) -> list[str]:
    """Every command line of a page, or of the help text of a config."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".yaml":
        return [match[1] for match in HELP.finditer(text)]
    typed = "\n".join(block.text for block in blocks(path) if block.language in TYPED)
    lines = [*typed.replace("\\\n", " ").splitlines(), *INDENTED.findall(FENCE.sub("", text))]
    return [line for line in lines if split(line)] + [
        span for span in spans(path) if span.startswith("python ")
    ]


def split(line: str) -> list[str]:
    """Words of a command line, without its comment."""
    return shlex.split(line, comments=True)


def spans(path: Path) -> list[str]:
    """Code in running text."""
    return SPAN.findall(FENCE.sub("", path.read_text(encoding="utf-8")))
