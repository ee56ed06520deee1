"""The page itself: `report/index.html`, which needs nothing beside it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

import hespotex
from hespotex.common.files import atomic_path
from hespotex.common.provenance import git_commit
from hespotex.results.html.cells import Cells, runs_table
from hespotex.results.html.chapter import Chapter
from hespotex.results.html.pictures import Picture, svg
from hespotex.results.html.seen import seen
from hespotex.results.partial import (
    EXPLAINED,
    HEADER,
    LABEL,
    curves,
    read_partial,
    summarised,
    table_rows,
)
from hespotex.results.questions import facts, versions
from hespotex.results.report import EXPLANATION
from hespotex.results.tables.sweep import Tables

Lists = Mapping[str, Sequence[str]]


def write_page(
    path: Path, tables: Tables, chapters: list[Chapter], absent: Lists, root: Path
) -> None:
    """Write the page of the sweep in the folder `root`, atomically.

    Args:
        absent: what no table holds, lines by heading: what failed, and what cannot be read.
    """
    first = tables.runs_of(chapters[0].main)[0]
    text = (
        _environment()
        .get_template("index.html.j2")
        .render(
            name=root.resolve().name,
            data=first.data,
            facts=facts(tables.runs),
            chapters=chapters,
            partly=partly(tables),
            seen=seen(root),
            absent=absent,
            explanation=EXPLANATION,
            runs=runs_table(tables.runs, root),
            versions=versions(tables.runs),
            config=yaml.safe_dump(first.stored_config, sort_keys=False, allow_unicode=True),
            config_of=(
                f"{first.model}, {first.fold_strategy}, fold {first.fold}, seed {first.seed}"
            ),
            made_by=f"HESpotEx {hespotex.__version__}, commit {git_commit() or 'unknown'}",
        )
    )
    with atomic_path(path) as partial:
        partial.write_text(text, encoding="utf-8")


@dataclass(frozen=True)
class Partly:
    """What the template shows of sections that were measured in part."""

    label: str
    explained: str
    curves: Picture
    tables: dict[str, Cells]


def partly(tables: Tables) -> Partly | None:
    """Of the runs that gave spots of their test sections; None where none did."""
    rows = read_partial([run.folder for run in tables.runs])
    if rows is None:
        return None
    table = summarised(rows)
    cells = {
        f"{model}, {strategy}": Cells(HEADER, table_rows(rows_of_model), n_words=1)
        for (model, strategy), rows_of_model in table.groupby(
            ["model", "fold_strategy"], sort=False
        )
    }
    return Partly(LABEL, EXPLAINED, Picture(svg(curves(table)), LABEL), cells)


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("hespotex.results.html"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["bold"] = _bold
    return environment


def _bold(text: str) -> Markup:
    """Markdown's double stars as bold."""
    return Markup(re.sub(r"\*\*(.+?)\*\*", r"<strong>\1</strong>", str(escape(text))))
