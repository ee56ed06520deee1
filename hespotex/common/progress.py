"""How far long work is and how much longer it takes: a bar on a terminal, lines in a log."""

import logging
import sys
from collections.abc import Iterable, Iterator, Mapping, Sized
from time import monotonic
from typing import Any, Protocol, Self, TypeVar

from tqdm import tqdm

# between two signs of life
TERMINAL_SECONDS = 0.2
LOG_SECONDS = 30.0
SHORT = 1.0  # seconds; what takes no longer leaves no line in a log
T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
log = logging.getLogger(__name__)


class Items(Sized, Iterable[T_co], Protocol[T_co]):
    """What is gone through, and how much of it there is."""


class LogBar:
    """A line every half minute and one at the end: how far, how fast, how much longer.

    Args:
        total, initial: of `unit`, the latter done before this bar was made.
    """

    def __init__(self, total: int, unit: str, description: str, initial: int = 0) -> None:
        self.total = total
        self.unit = unit
        self.description = description
        self.initial = initial
        self.n = initial
        self.facts = ""
        self.started = monotonic()
        self.shown_at = self.started
        self.shown_n = -1

    def update(self, n: int = 1) -> None:
        """So many more are done."""
        self.n += n
        if monotonic() - self.shown_at >= LOG_SECONDS:
            self._show()

    def set_postfix(self, values: Mapping[str, Any], refresh: bool = True) -> None:
        """What else the next line says."""
        self.facts = "".join(f", {name} {value}" for name, value in values.items())

    def close(self) -> None:
        """The last line, unless all took a moment only."""
        if monotonic() - self.started >= SHORT and self.shown_n != self.n:
            self._show()

    def _show(self) -> None:
        self.shown_at = monotonic()
        self.shown_n = self.n
        seconds = self.shown_at - self.started
        done = self.n - self.initial
        left = (
            tqdm.format_interval(seconds * (self.total - self.n) / done) if done else "unknown time"
        )
        place = f"{self.description}: {self.unit} {self.n} of {self.total}"
        pace = f"{tqdm.format_interval(seconds)} gone, {left} left, {done / seconds:.3g}/s"
        log.info("%s, %s%s", place, pace, self.facts)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def progress_bar(
    total: int, unit: str, description: str, initial: int = 0, disable: bool = False
) -> "LogBar | tqdm[Any]":
    """A bar with rate and time left; a log without a terminal gets a line every half minute and one
    at the end.
    """
    if disable or sys.stderr.isatty():
        return tqdm(
            total=total,
            unit=unit,
            desc=description,
            initial=initial,
            disable=disable,
            mininterval=TERMINAL_SECONDS,
        )
    return LogBar(total, unit, description, initial)


def progress(items: Items[T], unit: str, description: str) -> Iterator[T]:
    """The items under a bar; a single one has none."""
    with progress_bar(len(items), unit, description, disable=len(items) < 2) as bar:
        for item in items:
            yield item
            bar.update()
