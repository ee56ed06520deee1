"""Progress bars that also read well in a log file."""

import sys
from typing import Any

from tqdm import tqdm

TERMINAL_SECONDS, LOG_SECONDS = 0.2, 30.0


def progress_bar(total: int, unit: str, description: str, initial: int = 0, disable: bool = False) -> "tqdm[Any]":
    """A bar with rate and time left; a log without a terminal gets a line every half minute and one at the end."""
    terminal = sys.stderr.isatty()
    seconds = TERMINAL_SECONDS if terminal else LOG_SECONDS
    return tqdm(
        total=total,
        unit=unit,
        desc=description,
        initial=initial,
        disable=disable,
        mininterval=seconds,
        delay=0 if terminal else 1,
    )
