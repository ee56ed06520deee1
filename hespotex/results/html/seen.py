"""What a model saw, as a chapter of the page."""

from dataclasses import dataclass
from pathlib import Path

from hespotex.results.html.pictures import Picture, shrunk
from hespotex.results.programmes import (
    EXPLAINED,
    about,
    because,
    patches_of,
    picture_of,
    read_gene_programmes,
    read_programmes,
    title_of,
)


@dataclass(frozen=True)
class Programme:
    """What the template shows of one programme."""

    title: str
    sentences: list[str]
    pictures: list[Picture]


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
        Programme(title_of(row), about(row), _pictures(root, row["programme"], row["section"]))
        for row in table.to_dict("records")
    ]
    return Seen(whose, str(first["leaks"]), EXPLAINED, found)


def reasons(root: Path, model: str, strategy: str) -> dict[str, str]:
    """Why each gene is predicted as it is, by gene; empty where this model was not asked for."""
    table = read_programmes(root)
    genes = read_gene_programmes(root)
    if table is None or table.empty or genes is None:
        return {}
    if (table.loc[0, "model"], table.loc[0, "fold_strategy"]) != (model, strategy):
        return {}
    rows = zip(genes.index, genes.to_dict("records"), strict=True)
    return {str(gene): because(row) for gene, row in rows}


def _pictures(root: Path, programme: int, section: str) -> list[Picture]:
    """Its map, and the patches at its ends."""
    never = "predicted by a model that never saw it"
    files = {
        picture_of(root, programme): f"{section}, programme {programme}: score {never}",
        patches_of(root, programme): f"Left-out sections: patches of the highest and lowest score"
        f" of programme {programme}",
    }
    return [Picture(shrunk(file), words, file) for file, words in files.items() if file.is_file()]
