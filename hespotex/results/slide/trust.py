"""Whether a predicted slide is to be trusted, in the words that every output of it carries."""

import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

# share of spots stranger than training's 99th percentile from which a slide is called unlike it
UNLIKE = 0.25
KEY = "slide"  # of uns["hespotex"]
TRUSTED = "yes"
DOUBTED = "no"
log = logging.getLogger(__name__)


@dataclass
class Trust:
    """How far to believe what is predicted on a slide.

    Attributes:
        unlike_training: share of its spots that look unlike 99 % of the training spots; NaN where
          the model cannot tell.
        doubts: in words, why nobody should trust the slide without a check.
        remarks: what else was warned of while it was predicted.
    """

    unlike_training: float = float("nan")
    doubts: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    @property
    def trusted(self) -> str:
        """`yes` or `no`."""
        return DOUBTED if self.doubts else TRUSTED

    def doubt(self, slide: str, words: str) -> None:
        """Keep a reason, and say it in the log."""
        self.doubts.append(words)
        log.warning("%s: %s: do not trust these predictions without a check", slide, words)

    def look_at(self, slide: str, strangeness: NDArray[np.float32]) -> None:
        """Doubt a slide of which much is unlike the training spots; see `Familiarity`."""
        self.unlike_training = float((strangeness > 1).mean())
        if self.unlike_training > UNLIKE:
            self.doubt(
                slide,
                f"{self.unlike_training:.0%} of the spots look unlike 99% of the training spots"
                " (other stain, scanner, pixel size or tissue?)",
            )

    def to_dict(self) -> dict[str, Any]:
        """As `uns` of an h5ad holds it."""
        return {
            "unlike_training": self.unlike_training,
            "doubts": np.array(self.doubts, dtype=object),
            "remarks": np.array(self.remarks, dtype=object),
        }

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> "Trust":
        """As `to_dict` gave it, or nothing known of a slide that an older version predicted."""
        texts = {name: list(map(str, stored.get(name, []))) for name in ("doubts", "remarks")}
        return cls(float(stored.get("unlike_training", np.nan)), **texts)

    @contextmanager
    def hearing(self, names: Iterable[str]) -> Iterator[None]:
        """Keep as remarks what is warned of inside the block.

        Args:
            names: of the slide, which its own page need not repeat.
        """
        ear = _Ear(self, tuple(f"{name}: " for name in names))
        package = logging.getLogger(__name__.partition(".")[0])
        package.addHandler(ear)
        try:
            yield
        finally:
            package.removeHandler(ear)


class _Ear(logging.Handler):
    """Takes warnings from the log."""

    def __init__(self, trust: Trust, names: tuple[str, ...]) -> None:
        super().__init__(logging.WARNING)
        self.trust = trust
        self.names = names

    def emit(self, record: logging.LogRecord) -> None:
        words = record.getMessage()
        for name in self.names:
            words = words.removeprefix(name)
        said = any(words.startswith(doubt) for doubt in self.trust.doubts)
        if record.levelno == logging.WARNING and not said:
            self.trust.remarks.append(words)


def trust_of(about: Mapping[str, Any]) -> Trust:
    """What `uns["hespotex"]` of a predicted slide says."""
    stored = about.get(KEY, {})
    return Trust.from_dict(stored if isinstance(stored, Mapping) else {})
