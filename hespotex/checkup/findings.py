"""What a check-up found, in words."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from hespotex.common.failures import failure_of

T = TypeVar("T")


@dataclass
class Findings:
    """`problems` keep training from starting, each with its cure; `notes` are worth knowing."""

    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def attempt(self, step: Callable[[], T], where: str = "") -> T | None:
        """The step's result; None where it failed, whatever the error, which is written down, once.

        Args:
            where: what the problem belongs to, put in front where the message does not name it.
        """
        try:
            return step()
        except Exception as error:
            reason = failure_of(error).reason
            problem = reason if where in reason else f"{where}: {reason}"
            if problem not in self.problems:
                self.problems.append(problem)
            return None

    def verdict(self) -> str:
        """Notes, numbered problems, and whether training can start."""
        lines = [f"note: {note}" for note in self.notes]
        lines += [f"problem {i}: {problem}" for i, problem in enumerate(self.problems, 1)]
        n = len(self.problems)
        answer = (
            f"training cannot start: {n} problem{'s' * (n > 1)}"
            if n
            else "training can start: same words, train.py"
        )
        return "\n".join([*lines, answer])
