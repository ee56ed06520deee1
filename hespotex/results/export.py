"""The tables of a sweep as files for other programs and for papers: `results.json`, `models.csv`,
`models.tex`, `sections.csv`, `genes.csv`.
"""

from pathlib import Path
from typing import Any

import pandas as pd

import hespotex
from hespotex.common.files import atomic_path, write_json
from hespotex.common.provenance import git_commit
from hespotex.common.spreadsheet import write_csv
from hespotex.results.questions import facts
from hespotex.results.tables.latex import latex_tables
from hespotex.results.tables.schema import (
    GENE_SETS,
    GENES,
    MODELS,
    ORIGIN,
    SECTIONS,
    VERSION,
    ordered,
)
from hespotex.results.tables.sweep import Tables

SWEEP = {name: ORIGIN[name] for name in ("sweep", "data", "encoder", "unit")}
COLUMNS = {
    "models": MODELS | GENE_SETS,
    "models.csv": SWEEP | MODELS | GENE_SETS,
    "sections.csv": SECTIONS | GENE_SETS,
    "genes.csv": GENES,
}
FILES = ("results.json", "models.csv", "models.tex", "sections.csv", "genes.csv")


def write_results(folder: Path, tables: Tables) -> None:
    """Write all of `FILES`, each atomically and anew from all finished runs; columns as
    `results.json` says.

    Each row of a CSV names its sweep, so those of several sweeps can be put one after the other.
    """
    sections = _sections(tables, folder)
    csv_tables = {
        "models": _models(tables, folder),
        "sections": sections,
        "genes": _genes(tables, folder),
    }
    for name, table in csv_tables.items():
        with atomic_path(folder / f"{name}.csv") as partial:
            write_csv(table, partial, index=False, float_format="%.6g")
    with atomic_path(folder / "models.tex") as partial:
        partial.write_text(latex_tables(tables), encoding="utf-8")
    write_json(
        folder / "results.json",
        {
            "schema_version": VERSION,
            "made_by": {"hespotex": hespotex.__version__, "git_commit": git_commit()},
            "about": dict(facts(tables.runs)),
            "columns": {name: meanings(columns) for name, columns in COLUMNS.items()},
            "models": records(ordered(tables.models, MODELS)),
            "sections": records(sections),
        },
    )


def meanings(columns: dict[str, str]) -> list[dict[str, str]]:
    """Columns in their order, with what they mean."""
    return [{"column": name, "meaning": text} for name, text in columns.items()]


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as JSON knows them: null where there is no value."""
    plain = table.astype(object).where(table.notna(), None)
    return [{str(name): value for name, value in row.items()} for row in plain.to_dict("records")]


def _sections(tables: Tables, folder: Path) -> pd.DataFrame:
    runs = {str(run.folder): run for run in tables.runs}
    runs_of_rows = [runs[home] for home in tables.sections["folder"]]
    table = tables.sections.assign(
        sweep=folder.resolve().name,
        data=[run.data for run in runs_of_rows],
        encoder=[run.encoder for run in runs_of_rows],
        unit=[run.unit or "" for run in runs_of_rows],
        data_fingerprint=[run.data_fingerprint or "" for run in runs_of_rows],
        folder=[run.folder.relative_to(folder).as_posix() for run in runs_of_rows],
    )
    return ordered(table, SECTIONS)


def _models(tables: Tables, folder: Path) -> pd.DataFrame:
    """A row a fold strategy and model; what is a list becomes words."""
    table = tables.models.assign(**_origin(tables, folder, tables.models))
    lists = {
        name: ["; ".join(map(str, entries)) for entries in table[name]]
        for name in ("without_value", "missing_folds", "leaks")
    }
    return ordered(table.assign(**lists), SWEEP | MODELS)


def _origin(tables: Tables, folder: Path, rows: pd.DataFrame) -> dict[str, Any]:
    """What `SWEEP` names, of rows that name fold strategy and model."""
    made_with = {(run.fold_strategy, run.model): run for run in tables.runs}
    runs_of_rows = [
        made_with[key] for key in zip(rows["fold_strategy"], rows["model"], strict=True)
    ]
    facts = {
        name: [getattr(run, name) for run in runs_of_rows] for name in SWEEP if name != "sweep"
    }
    return {"sweep": folder.resolve().name, **facts}


def _genes(tables: Tables, folder: Path) -> pd.DataFrame:
    return ordered(tables.genes.assign(**_origin(tables, folder, tables.genes)), GENES)
