"""The summary as Markdown: tables, labels and maps, each fold strategy by itself."""

import math
import os
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import pandas as pd

from hespotex.metrics.names import SECTION_METRICS
from hespotex.records.record import Runs
from hespotex.results.read_off import HEADING, read_off
from hespotex.results.tables.markdown import (
    NOTHING,
    Column,
    inert,
    interval,
    markdown,
    number,
    numbers,
    picture,
)
from hespotex.results.tables.schema import MODELS
from hespotex.results.tables.statistics import FEW_GROUPS
from hespotex.splits.strategies import LEAK

HEADLINE = [
    "model",
    "role",
    "PCC over groups",
    "95 % interval",
    "PCC over sections",
    "of the ceiling",
    "given depth",
    "shared genes",
    "gain over ridge",
    "95 % interval of the gain",
    "p (sections)",
    "genes found",
    "genes scored",
    "seeds",
]
METRICS = [(one.name, one.heading, one.format) for one in SECTION_METRICS if one.heading]
EXPLANATION = (
    "Gene-wise Pearson correlation (PCC) over the spots of a test section, mean over genes; a gene"
    " that is constant in a section, measured or predicted, has none there and is left out. Seeds"
    " are averaged in a section, sections in a group (patient), then groups; intervals are a"
    " bootstrap over groups. Gains are paired, section by section, on genes that all models share;"
    " p is a sign-flip test over sections. Genes found: PCC above 0 over sections at a false"
    " discovery rate of 5 %; the section is the unit, so few patients make it a statement about"
    " these patients. Genes scored: of a section, on average. Of the ceiling: PCC over the highest"
    " that the noise of counting leaves, each"
    " count split in two at random; it bounds that noise only, not what an image can tell. Given"
    " depth: PCC of what is left when each spot's number of counts is taken out of both sides."
)
COST = [
    ("parameters", "parameters", ",.0f"),
    ("seconds", "seconds a run", ".1f"),
    ("spots_per_second", "spots/s (predict)", ",.0f"),
    ("threads", "threads", ".0f"),
    ("peak_memory_gb", "peak memory, GB", ".2f"),
    ("peak_gpu_gb", "peak GPU memory, GB", ".2f"),
]


def further(models: pd.DataFrame) -> list[Column]:
    """`METRICS`, and after them the user's own, which no list of ours knows."""
    own = [str(name) for name in models if str(name) not in MODELS and "@" not in str(name)]
    return [*METRICS, *((name, name, ".3f") for name in own)]


def render(models: pd.DataFrame, sections: pd.DataFrame, runs: Runs, folder: Path) -> str:
    """Headline table, notes and further tables of each fold strategy, and maps of the main
    model.
    """
    first = runs[0]
    encoders = ", ".join(dict.fromkeys(run.encoder for run in runs))
    parts = [
        inert(f"# {first.data}, encoder {encoders}"),
        EXPLANATION,
        inert(f"{HEADING}: {told}.") if (told := read_off(runs)) else "",
    ]
    for strategy in dict.fromkeys(models["fold_strategy"]):
        parts += chapter(
            models[models["fold_strategy"] == strategy],
            sections[sections["fold_strategy"] == strategy],
            runs,
        )
    return "\n\n".join(part for part in [*parts, _maps(models, runs, folder)] if part) + "\n"


def chapter(models: pd.DataFrame, sections: pd.DataFrame, runs: Runs) -> list[str]:
    """All tables of one fold strategy."""
    strategy = str(models["fold_strategy"].iloc[0])
    sets = sorted(str(name) for name in models if str(name).startswith("pcc_gene@"))
    return [
        inert(f"## {title(strategy, runs)}"),
        headline(models),
        "\n".join(inert(f"- {note}") for note in notes(models)),
        "### Per test section (PCC, all genes of each model's panel)",
        across(sections, ["group", "section_id"]),
        "### Per group",
        across(sections, ["group"]),
        (
            "### Gene sets (PCC; chosen on training sections, but for the oracle's, which are the"
            " best on the test section itself)"
        ),
        numbers(
            models,
            [
                ("pcc_gene", "all", ".3f"),
                ("pcc_common", "in every fold's panel", ".3f"),
                *((name, name.removeprefix("pcc_gene@"), ".3f") for name in sets),
            ],
        ),
        "### Further metrics (means over the genes that have a value, then as above)",
        numbers(models, further(models)),
        "### Cost of a run (its mean; memory is that of the process so far)",
        numbers(models, COST),
    ]


def title(strategy: str, runs: Runs) -> str:
    """The strategy in words, with the share of its folds that have a patient on both sides."""
    folds = {run.fold: LEAK in run.leaks for run in runs if run.fold_strategy == strategy}
    within = (
        f": within-patient in {sum(folds.values())} of {len(folds)} folds"
        if any(folds.values())
        else ""
    )
    return strategy.replace("_", " ").capitalize() + within


def headline(models: pd.DataFrame) -> str:
    """One row a model."""
    return markdown(HEADLINE, headline_rows(models))


def headline_rows(models: pd.DataFrame) -> list[list[str]]:
    """Cells of `HEADLINE`, one row a model."""
    return [
        [
            row["model"] + (" (leak)" if row["leaks"] else ""),
            row["role"],
            number(row["pcc_gene"]),
            NOTHING if pd.isna(row["pcc_gene"]) else interval(row["low"], row["high"]),
            number(row["pcc_sections"]),
            *(number(row.get(name, math.nan)) for name in ("share_of_ceiling", "pcc_given_depth")),
            number(row["pcc_shared"]),
            number(row["gain"], "+.3f"),
            (
                NOTHING
                if pd.isna(row["gain"])
                else interval(row["gain_low"], row["gain_high"], "+.3f")
            ),
            number(row["gain_p"], ".3g"),
            f"{row['genes_found']} of {row['genes_tested']}",
            f"{row['n_genes_scored']:.0f} of {row['n_genes']:.0f}",
            str(row["n_seeds"]),
        ]
        for row in models.to_dict("records")
    ]


def across(sections: pd.DataFrame, places: list[str]) -> str:
    """Models down, sections or groups across: PCC, seeds averaged first, then sections."""
    own = sections.groupby(["model", "group", "section_id"], sort=False)["pcc_gene"].mean()
    mean = own.groupby(["model", *places], sort=False).mean().unstack(places).sort_index(axis=1)
    names = [
        f"{place[1]} ({place[0]})" if isinstance(place, tuple) else str(place)
        for place in mean.columns
    ]
    rows = [[model, *map(number, mean.loc[model])] for model in dict.fromkeys(sections["model"])]
    return markdown(["model", *names], rows)


def notes(models: pd.DataFrame) -> list[str]:
    """What a reader must know before quoting a number."""
    leaks: dict[str, list[str]] = {}
    for row in models.to_dict("records"):
        leaks.setdefault("; ".join(row["leaks"]), []).append(row["model"])
    found = [f"**{', '.join(names)}: LEAK.** {leak}." for leak, names in leaks.items() if leak]
    found += [
        f"**{row['model']}: folds missing:** {row['missing_folds']}."
        for row in models.to_dict("records")
        if row["missing_folds"]
    ]
    found += [
        f"**{row['model']}: no value** in {', '.join(row['without_value'])}: every gene is"
        " predicted constant there."
        for row in models.to_dict("records")
        if row["without_value"]
    ]
    found += [_levels(row) for row in models.to_dict("records") if row.get("r2", 0) < 0]
    found += [_own_panels(row) for row in models.to_dict("records") if _has_own_panels(row)]
    found += [
        f"**{row['model']}: {row['genes_partly']} genes** were not measured in some sections: they"
        " are trained and scored where they were; genes.csv says in how many sections and groups."
        for row in models.to_dict("records")
        if row["genes_partly"]
    ]
    n_groups = models["n_groups"].max()
    n_sections = models["n_paired"].max()
    found += [few_groups(int(n_groups))] if n_groups < FEW_GROUPS else []
    return (
        [*found, f"{n_sections} sections: p cannot be below {2 / 2**n_sections:.3g}."]
        if 0 < n_sections < 6
        else found
    )


def _levels(row: dict[Hashable, Any]) -> str:
    """What an R2 below 0 means."""
    return (
        f"**{row['model']}: levels between sections are not predicted:** R2 is"
        f" {number(row['r2'])}, below that of each section's own mean; compare spots of one"
        " section, not sections."
    )


def _has_own_panels(row: dict[Hashable, Any]) -> bool:
    return "n_common" in row and row["n_common"] < row["n_genes"]


def _own_panels(row: dict[Hashable, Any]) -> str:
    """How many genes the folds have in common, and what these reach."""
    return (
        f"{row['model']}: each fold has a panel of its own; {row['n_common']:.0f} of"
        f" {row['n_genes']:.0f} genes are in that of every fold, and over these PCC is"
        f" {number(row['pcc_common'])}."
    )


def few_groups(n: int) -> str:
    """What fewer than four groups make of an interval."""
    return (
        f"{n} groups: an interval over so few means little."
        if n > 1
        else "One group: there is no interval."
    )


def _maps(models: pd.DataFrame, runs: Runs, folder: Path) -> str:
    model = str(models["model"].iloc[0])
    run = next(run for run in runs if run.model == model)
    paths = sorted((run.folder / "maps").glob("*.png"))[:3]
    pictures = [
        picture(path.stem, Path(os.path.relpath(path, folder)).as_posix()) for path in paths
    ]
    heading = f"## Maps: {model}, fold {run.fold}; best and median gene of each section"
    return "\n\n".join([inert(heading), *pictures])
