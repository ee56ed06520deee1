"""Slides that could not be predicted, and why: a table beside the predictions."""

from pathlib import Path

import pandas as pd
from filelock import FileLock

from hespotex.files import atomic_path

FAILED = "failed.csv"


def note_outcome(folder: Path, slide: str, reason: str | None) -> None:
    """Keep `failed.csv` (slide, reason) up to date: a failure's row replaces an older one, a success (None) removes it.

    Jobs that share a folder take turns; there is no file where nothing has failed.
    """
    file = folder / FAILED
    if reason is None and not file.is_file():
        return
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / ".failed.lock"):
        rows = {name: why for name, why in read_failed(folder).items() if name != slide}
        rows |= {slide: " ".join(reason.split())} if reason else {}
        if rows:
            with atomic_path(file) as part:
                pd.DataFrame(sorted(rows.items()), columns=["slide", "reason"]).to_csv(part, index=False)
        else:
            file.unlink(missing_ok=True)


def read_failed(folder: Path) -> dict[str, str]:
    """Reason of each slide that failed; empty where none did."""
    file = folder / FAILED
    if not file.is_file():
        return {}
    table = pd.read_csv(file, dtype=str, keep_default_na=False)
    return dict(zip(table["slide"], table["reason"], strict=True))
