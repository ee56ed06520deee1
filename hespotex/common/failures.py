"""What failed of many alike (slides, sections, folds): written down with its kind, while the others
go on.
"""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from hespotex.common.errors import InputError, disk_words, stopped_by
from hespotex.common.files import atomic_path
from hespotex.common.spreadsheet import unmarked, write_csv

log = logging.getLogger(__name__)
FAILED = "failed.csv"
JOBS = "failed_jobs.csv"  # of a sweep
COLUMNS = ["kind", "reason"]  # after the column of names, which is called as the things are


@dataclass(frozen=True)
class Failure:
    """One that failed.

    `kind` is the class of the error; `reason` is its message on one line, which for any error but
    our own begins with the kind.
    """

    kind: str
    reason: str


def failure_of(error: Exception) -> Failure:
    """The error in words."""
    kind = type(error).__name__
    text = disk_words(error) or " ".join(str(error).split())
    return Failure(
        kind,
        text
        if isinstance(error, InputError) and text
        else f"{kind}: {text or 'without a message'}",
    )


class Failures:
    """Lets many alike be done one after another, and keeps those that failed.

    Args:
        kind: what each of them is, such as `slide`.
        folder: where `failed.csv` is kept up to date; None for no file.
    """

    def __init__(self, kind: str, folder: Path | None = None) -> None:
        self.kind = kind
        self.folder = folder
        self.found: dict[str, Failure] = {}
        self.tried: set[str] = set()

    @contextmanager
    def of(self, name: str, label: str | None = None) -> Iterator[None]:
        """Any exception of the block is the failure of `name`, and goes no further.

        Args:
            label: how the log and the last line call it; None for its name.
        """
        self.tried.add(name)
        try:
            yield
        except Exception as error:
            if stop := stopped_by(error):
                raise stop from None
            self.add(name, error, label)
        else:
            self._note(name, None)

    def add(self, name: str, error: Exception, label: str | None = None) -> None:
        """Write this failure down, and say it."""
        failure = failure_of(error)
        log.error(
            "%s: %s",
            label or name,
            failure.reason,
            exc_info=bool(os.environ.get("HYDRA_FULL_ERROR")),
        )
        self.found[label or name] = failure
        self._note(name, failure)

    def check(self) -> None:
        """At the end, when all have had their turn.

        Raises:
            InputError: some failed; it names them.
        """
        if not self.found:
            return
        number = f"{len(self.found)} of {len(self.tried)} {self.kind}s failed"
        raise InputError(f"{number}: {', '.join(self.found)}; {self._reasons()}")

    def _reasons(self) -> str:
        """Where they are; the reason itself where all failed for one."""
        reasons = {failure.reason for failure in self.found.values()}
        if len(reasons) == 1 and len(self.found) == len(self.tried) > 1:
            return reasons.pop()
        return (
            f"the reasons are in {self.folder / FAILED}"
            if self.folder
            else "the reasons stand above"
        )

    def _note(self, name: str, failure: Failure | None) -> None:
        if self.folder is not None:
            note_outcome(self.folder, name, failure, self.kind)


def note_outcome(
    folder: Path, name: str, failure: Failure | None, kind: str = "slide", file_name: str = FAILED
) -> None:
    """Keep `failed.csv` up to date: a failure's row replaces an older one, a success (None) removes
    it.

    Jobs that share a folder take turns; there is no file where nothing has failed.
    """
    file = folder / file_name
    if failure is None and not file.is_file():
        return
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / ".failed.lock"):
        rows = {other: old for other, old in _rows(file).items() if other != name}
        rows |= {name: failure} if failure else {}
        _write(file, rows, kind)


def read_failed(folder: Path, file_name: str = FAILED) -> dict[str, str]:
    """Reason of each that failed; empty where none did."""
    return {name: failure.reason for name, failure in _rows(folder / file_name).items()}


def failed_below(folder: Path) -> list[str]:
    """A line for each job and fold that failed below a folder: where, which, why."""
    files = [file for name in (JOBS, FAILED) for file in sorted(folder.rglob(name))]
    return [
        f"{file.relative_to(folder)}, {name}: {failure.reason}"
        for file in files
        for name, failure in _rows(file).items()
    ]


def _rows(file: Path) -> dict[str, Failure]:
    """The table; of a file that is none, nothing is kept, in words."""
    if not file.is_file():
        return {}
    import pandas as pd  # half a second, for the commands that have a failure to tell

    try:
        table = pd.read_csv(file, dtype=str, keep_default_na=False).map(unmarked)
        # an older version caught no other
        kinds = table["kind"] if "kind" in table else ["InputError"] * len(table)
        failures = map(Failure, kinds, table["reason"])
        return dict(zip(table.iloc[:, 0], failures, strict=True))
    except (KeyError, ValueError, IndexError) as error:
        log.warning(
            "%s cannot be read (%s): earlier failures are not known", file, failure_of(error).reason
        )
        return {}


def _write(file: Path, rows: dict[str, Failure], kind: str) -> None:
    if not rows:
        file.unlink(missing_ok=True)
        return
    import pandas as pd

    table_rows = [(name, failure.kind, failure.reason) for name, failure in sorted(rows.items())]
    with atomic_path(file) as partial:
        write_csv(pd.DataFrame(table_rows, columns=[kind, *COLUMNS]), partial, index=False)
