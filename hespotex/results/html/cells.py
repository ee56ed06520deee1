"""Tables of text for the page, made from tables of numbers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from hespotex.records.record import Runs
from hespotex.results.questions import audits
from hespotex.results.report import COST, HEADLINE, headline_rows
from hespotex.results.tables.aggregate import by_section, reference
from hespotex.results.tables.markdown import Column, number, number_cells
from hespotex.results.tables.sweep import Tables

MAX_GENES = 2000  # rows of a gene table; `genes.csv` has all
TRUTH = [
    ("moran_measured", "Moran's I, measured", ".3f"),
    ("mean_measured", "mean, measured", ".3f"),
]
GENE = [("pcc", "mean PCC", ".3f"), ("n_sections", "sections scored", ".0f"), ("q", "q", ".2g")]
PARTLY = [
    ("measured_sections", "sections that measured it", ".0f"),
    ("measured_groups", "groups that did", ".0f"),
    ("trained_sections", "sections that trained it, at least", ".0f"),
    ("trained_groups", "groups that did, at least", ".0f"),
    ("n_groups", "groups scored", ".0f"),
]
GAIN = [("gain", "gain over ridge", "+.3f"), ("gain_q", "q of the gain", ".2g")]
BECAUSE = "predicted because of"
SECONDS = ("embed", "teacher", "fit", "predict")


@dataclass(frozen=True)
class Cells:
    """Header and rows of text.

    Args:
        n_words: leading columns that are words; the others are numbers, aligned right.
        kinds: a CSS class of each row, or nothing.
        n_last: columns at the end that are words.
    """

    header: list[str]
    rows: list[list[str]]
    n_words: int = 1
    kinds: list[str] = field(default_factory=list)
    n_last: int = 0


def headline(tables: Tables) -> Cells:
    """The cross-validation table."""
    return Cells(
        HEADLINE, headline_rows(tables.models), n_words=2, kinds=list(tables.models["role"])
    )


def per_model(tables: Tables, columns: Sequence[Column]) -> Cells:
    """Models down, columns across; columns without any value are left out."""
    return Cells(*number_cells(tables.models, columns))


def places(tables: Tables, labels: list[str]) -> Cells:
    """PCC of each section (`labels`: section_id, group) or group (group) down, models across; seeds
    averaged first.
    """
    sections = tables.sections
    models = [str(name) for name in tables.models["model"]]
    pcc = sections.groupby(["model", "section_id", "group"])["pcc_gene"].mean()
    mean = pcc.groupby([*labels, "model"]).mean().unstack("model")
    spots = sections.drop_duplicates("section_id").groupby(labels, as_index=False)["n_spots"].sum()
    table: Any = spots.merge(mean, on=labels)
    rows = [
        [
            *(str(row[word]) for word in labels),
            f"{row['n_spots']:,}",
            *(number(row[model]) for model in models),
        ]
        for row in table.to_dict("records")
    ]
    return Cells(
        [*(word.removesuffix("_id") for word in labels), "spots", *models], rows, len(labels)
    )


def genes(tables: Tables, model: str, reasons: Mapping[str, str] | None = None) -> Cells:
    """Genes down, the best first.

    Args:
        reasons: why a gene is predicted as it is, by gene, where that is known.
    """
    scores = tables.genes[tables.genes["model"] == model].set_index("gene")
    means = tables.gene_means(model).drop(columns=scores.columns, errors="ignore")
    table = scores.join(means).sort_values("pcc", ascending=False, kind="stable")
    partly = PARTLY if scores["measured_sections"].nunique() > 1 else []
    gain = GAIN if model != reference(model) else []
    columns = [
        column
        for column in [*GENE, *partly, *gain, *TRUTH]
        if column[0] in table and table[column[0]].notna().any()
    ]
    rows = [
        [
            str(gene),
            "yes" if row["found"] else "no",
            *(number(row[name], form) for name, _, form in columns),
            *([reasons.get(str(gene), "")] if reasons else []),
        ]
        for gene, row in zip(table.index[:MAX_GENES], table.to_dict("records"), strict=False)
    ]
    header = ["gene", "found", *(title for _, title, _ in columns), *([BECAUSE] if reasons else [])]
    return Cells(header, rows, n_words=2, n_last=int(bool(reasons)))


def worst(tables: Tables, section_ids: Sequence[str]) -> Cells:
    """PCC of some sections for the main model, ridge and the ceiling, and how much there is to find
    in them.
    """
    ceilings = tables.models[tables.models["role"] == "ceiling"]["model"]
    candidates = [tables.main, reference(tables.main), *ceilings]
    models = [name for name in dict.fromkeys(candidates) if name in set(tables.models["model"])]
    pcc = {
        name: by_section(tables.sections, name).set_index("section_id")["pcc_gene"]
        for name in models
    }
    facts: Any = tables.sections.drop_duplicates("section_id").set_index("section_id")
    truth: Any = tables.section_means(tables.main)
    columns = [column for column in TRUTH if column[0] in truth]
    rows = [
        [
            *(section, str(facts.loc[section, "group"]), f"{facts.loc[section, 'n_spots']:,}"),
            *(number(values.get(section, float("nan"))) for values in pcc.values()),
            *(number(truth.loc[section, name], form) for name, _, form in columns),
        ]
        for section in section_ids
    ]
    return Cells(
        ["section", "group", "spots", *models, *(title for _, title, _ in columns)], rows, n_words=2
    )


def runs_table(runs: Runs, root: Path) -> Cells:
    """Each run with its fold, test sections, seed, folder, fingerprint, commit and audit."""
    audited = audits(runs)
    header = [
        "model",
        "folds",
        "fold",
        "test sections",
        "seed",
        "folder",
        "data fingerprint",
        "commit",
        "audit",
    ]
    rows = [
        [
            *(run.model, run.fold_strategy, str(run.fold)),
            *(" ".join(section["section_id"] for section in run.sections), str(run.seed)),
            run.folder.relative_to(root).as_posix(),
            *(run.data_fingerprint or "", str(run.metrics.get("git_commit", ""))),
            audited[run.folder][1] if run.folder in audited else "not audited",
        ]
        for run in runs
    ]
    return Cells(header, rows, n_words=len(header))


def cost(tables: Tables) -> Cells:
    """Means over the runs of each model."""
    rows = [
        {
            "model": run.model,
            **run.cost,
            **run.cost["seconds"],
            "seconds": run.seconds,
        }
        for run in tables.runs
    ]
    means = (
        pd.DataFrame(rows)
        .groupby("model")
        .mean(numeric_only=True)
        .reindex(tables.models["model"])
        .reset_index()
    )
    return Cells(*number_cells(means, [*COST, *((name, f"{name}, s", ".2f") for name in SECONDS)]))
