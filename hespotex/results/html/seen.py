"""What a model saw, as a chapter of the page."""

from dataclasses import dataclass
from pathlib import Path

from hespotex.results.html.pictures import Picture, shrunk
from hespotex.results.programmes import (
    EXPLAINED,
    about,
    picture_of,
    read_programmes,
    title_of,
)


@dataclass(frozen=True)
class Programme:
    """What the template shows of one programme."""

    title: str
    sentences: list[str]
    picture: Picture | None


@dataclass(frozen=True)
class Seen:
    """What the template shows of the programmes of a model."""

    whose: str
    leak: str
    explained: str
    programmes: list[Programme]


def seen(root: Path) -> Seen | None:
    """Of the model that was asked for; None where none was."""
    table = read_programmes(root)
    if table is None or table.empty:
        return None
    first = table.iloc[0]
    whose = f"{first['model']}, {first['fold_strategy'].replace('_', ' ')}"
    found = [
        Programme(title_of(row), about(row), _map(root, row["programme"], row["section"]))
        for row in table.to_dict("records")
    ]
    return Seen(whose, str(first["leaks"]), EXPLAINED, found)


def _map(root: Path, programme: int, section: str) -> Picture | None:
    file = picture_of(root, programme)
    words = f"{section}, programme {programme}: score predicted by a model that never saw it"
    return Picture(shrunk(file), words, file) if file.is_file() else None
