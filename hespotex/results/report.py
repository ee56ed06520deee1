"""The summary as Markdown: tables, labels and maps."""

import os
from pathlib import Path
from typing import Any

import pandas as pd

Rows = list[dict[str, Any]]
OVER = ["PCC over groups", "95 % interval", "PCC over sections"]
HEADLINE = ["model", *OVER, "median gene", "shared genes", "gain over ridge", "RMSE", "genes scored", "seeds"]


def render(models: Rows, sections: pd.DataFrame, runs: Rows, folder: Path) -> str:
    """Headline table, notes, per-section table, and maps of the main model."""
    first = runs[0]
    parts = [
        f"# {first['data']}: {first['fold_strategy'].replace('_', ' ')}, encoder {first['encoder']}",
        "Gene-wise Pearson correlation (PCC) over the spots of a test section, mean over genes; a gene that is constant in a "
        "section has none and is left out. Seeds are averaged in a section, sections in a group (patient), then groups; "
        "the interval is a bootstrap over groups.",
        headline(models),
        "\n".join(f"- {note}" for note in notes(models)),
        "## Per test section (PCC, all genes of each model's panel)",
        per_section(sections),
        _maps(models, runs, folder),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def headline(models: Rows) -> str:
    """One row a model."""
    return markdown(
        HEADLINE,
        [
            [
                row["model"] + (" (leak)" if row["leaks"] else ""),
                f"{row['pcc_gene']:.3f}",
                f"{row['low']:.3f} to {row['high']:.3f}" if row["n_groups"] > 1 else "one group",
                *(f"{row[name]:.3f}" for name in ("pcc_sections", "pcc_median", "pcc_shared")),
                f"{row['gain']:+.3f}",
                f"{row['rmse']:.3f}",
                f"{row['n_genes_scored']:.0f} of {row['n_genes']:.0f}",
                str(row["n_seeds"]),
            ]
            for row in models
        ],
    )


def per_section(sections: pd.DataFrame) -> str:
    """Models down, test sections across."""
    ids = sections[["group", "section_id"]].drop_duplicates().sort_values(["group", "section_id"])
    mean = sections.groupby(["model", "section_id"])["pcc_gene"].mean().to_dict()
    names = [f"{section} ({group})" for group, section in ids.itertuples(index=False)]
    rows = [
        [str(model), *(f"{mean.get((model, section), float('nan')):.3f}" for section in ids["section_id"])]
        for model in dict.fromkeys(sections["model"])
    ]
    return markdown(["model", *names], rows)


def notes(models: Rows) -> list[str]:
    """What a reader must know before quoting a number."""
    found = [f"**{row['model']}: LEAK.** {'; '.join(row['leaks'])}." for row in models if row["leaks"]]
    found += [f"**{row['model']}: folds missing:** {row['missing_folds']}." for row in models if row["missing_folds"]]
    n_groups = max(row["n_groups"] for row in models)
    return [*found, *([f"{n_groups} groups: an interval over so few means little."] if n_groups < 4 else [])]


def markdown(header: list[str], rows: list[list[str]]) -> str:
    """A table as Markdown, columns aligned."""
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in [header, *rows]
    ]
    return "\n".join([lines[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *lines[1:]])


def _maps(models: Rows, runs: Rows, folder: Path) -> str:
    names = [row["model"] for row in models]
    model = "strict" if "strict" in names else names[0]
    run = next(run for run in runs if run["model"] == model)
    paths = sorted((Path(run["folder"]) / "maps").glob("*.png"))[:3]
    pictures = [f"![{path.stem}]({Path(os.path.relpath(path, folder)).as_posix()})" for path in paths]
    return "\n\n".join([f"## Maps: {model}, fold {run['split']['index']}; best and median gene of each section", *pictures])
