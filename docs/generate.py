"""Pages that are made from the code at every build and never committed: configuration, commands,
columns, API.
"""

from importlib.util import find_spec
from pathlib import Path
from pkgutil import walk_packages

import command_reference
import config_reference

import hespotex
from hespotex.results.tables.schema import GENE_SETS, GENES, MODELS, SECTIONS

TABLES = {"sections": SECTIONS, "genes": GENES, "models": MODELS, "gene_sets": GENE_SETS}
ROOMS = {  # packages by page, with the sentence that opens it
    "commands": "What the commands call; the steps of one run are in `hespotex.training.run`.",
    "training": "One run, from config to scores.",
    "prediction": "Slides and other data sets, by trained models.",
    "records": "What a run leaves, and how it is built again.",
    "batches": "From sections to the batches of a fold.",
    "splits": "Who trains, who validates, who tests.",
    "genes": "Which genes are predicted, and in what unit.",
    "embeddings": "Patches to numbers, and the store that keeps them.",
    "nuclei": "Nuclei of a section.",
    "sections": "What lies on disk, as sections.",
    "demo": "The synthetic data set.",
    "encoders": "Patches to embeddings.",
    "modules": "Lightning modules: what is trained and how.",
    "nn": "Plain torch layers and losses.",
    "metrics": "What a prediction is worth.",
    "histology": "Statistics of colour, texture and nuclei.",
    "results": "Tables, pages and files that are written.",
    "auditing": "The leakage audit.",
    "benchmark": "HEST-Benchmark's protocol.",
    "checkup": "The doctor.",
    "cohorts": "Tables of a cohort.",
    "packing": "Bundles.",
    "callbacks": "Lightning callbacks.",
    "kriging": "Gaussian processes on what a model gets wrong.",
    "programmes": "Programmes of predicted genes, and words for them.",
    "explaining": "What a model saw, from a finished sweep.",
    "named_statistics": "Image statistics around spots, without a model.",
    "testing": "Contracts for those who extend HESpotEx.",
    "cli": "The command line.",
    "common": "What every room uses.",
}


def write_all(folder: Path) -> None:
    """Make `folder` hold these pages and no others; one that did not change keeps its date, so that
    Sphinx skips it.
    """
    pages = {f"config/{name}": text for name, text in config_reference.pages().items()}
    pages |= {f"api/{name}": text for name, text in api_pages().items()}
    pages |= {f"tables/{name}": column_table(columns) for name, columns in TABLES.items()}
    pages["commands"] = command_reference.page()
    for name, text in pages.items():
        path = folder / f"{name}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
    for path in folder.rglob("*.md"):
        if path.relative_to(folder).with_suffix("").as_posix() not in pages:
            path.unlink()


def column_table(columns: dict[str, str]) -> str:
    """Columns and what they mean."""
    return (
        "\n".join(
            [
                "| column | meaning |",
                "|---|---|",
                *(f"| `{name}` | {text} |" for name, text in columns.items()),
            ]
        )
        + "\n"
    )


def api_pages() -> dict[str, str]:
    """A page for each room of the package; a room without a sentence in `ROOMS` gets one all the
    same.
    """
    modules = [
        module.name
        for module in walk_packages(hespotex.__path__, "hespotex.")
        if _says_something(module.name)
    ]
    by_room: dict[str, list[str]] = {room: [] for room in ROOMS}
    for name in modules:
        parts = name.split(".")
        packaged = len(parts) > 2 or name in {f"hespotex.{room}" for room in ROOMS}
        by_room.setdefault(parts[1] if packaged else "commands", []).append(name)
    pages = {room: _api_page(room, names) for room, names in by_room.items() if names}
    toctree = ["```{toctree}", ":maxdepth: 1", "", *pages, "```"]
    return pages | {"index": "\n".join(["# API", "", "From the docstrings.", "", *toctree]) + "\n"}


def _says_something(module: str) -> bool:
    """An empty `__init__.py` does not."""
    spec = find_spec(module)
    return spec is not None and spec.origin is not None and Path(spec.origin).stat().st_size > 0


def _api_page(room: str, modules: list[str]) -> str:
    lines = [f"# {room}", "", ROOMS.get(room, ""), ""]
    for name in modules:
        lines += [
            f"## `{name}`",
            "",
            "```{eval-rst}",
            f".. automodule:: {name}",
            "   :members:",
            "```",
            "",
        ]
    return "\n".join(lines)
