"""The summary as Markdown: tables, labels and maps."""

import os
from pathlib import Path
from typing import Any

import pandas as pd


def render(models: pd.DataFrame, sections: pd.DataFrame, runs: list[dict[str, Any]], folder: Path) -> str:
    """Headline table, per-section table, notes, and the maps of the best model's first section."""
    first = runs[0]
    parts = [
        f"# {first['data']}: {first['fold_strategy'].replace('_', ' ')}, encoder {first['encoder']}",
        "Gene-wise Pearson correlation (PCC) over the spots of a test section, mean over genes; a gene that is constant in a "
        "section has none and is left out. Seeds are averaged in a section, sections in a group (patient), then groups; "
        "the interval is a bootstrap over groups.",
        headline(models),
        *_notes(models),
        "## Per test section (PCC, all genes of each model's panel)",
        per_section(sections),
        _maps(models, runs, folder),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def headline(models: pd.DataFrame) -> str:
    """One row a model."""
    shown = pd.DataFrame(
        {
            "model": models["model"] + models["leaks"].map(lambda leaks: " (leak)" if leaks else ""),
            "PCC over groups": models["pcc_gene"].map("{:.3f}".format),
            "95 % interval": [
                f"{row.low:.3f} to {row.high:.3f}" if row.low == row.low else "one group" for row in models.itertuples()
            ],
            "PCC over sections": models["pcc_sections"].map("{:.3f}".format),
            "median gene": models["pcc_median"].map("{:.3f}".format),
            "shared genes": models["pcc_shared"].map("{:.3f}".format),
            "gain over ridge": models["gain"].map(lambda gain: "" if gain != gain else f"{gain:+.3f}"),
            "RMSE": models["rmse"].map("{:.3f}".format),
            "genes scored": [f"{row.n_genes_scored:.0f} of {row.n_genes:.0f}" for row in models.itertuples()],
            "seeds": models["n_seeds"].astype(str),
        }
    )
    return markdown(shown)


def per_section(sections: pd.DataFrame) -> str:
    """Models down, test sections across."""
    table = sections.pivot_table(index="model", columns=["group", "section_id"], values="pcc_gene", sort=False)
    table = table[sorted(table.columns)]
    names = [f"{section} ({group})" for group, section in table.columns]
    shown = pd.DataFrame(
        {"model": table.index, **{n: table.iloc[:, i].map("{:.3f}".format).to_numpy() for i, n in enumerate(names)}}
    )
    return markdown(shown)


def markdown(table: pd.DataFrame) -> str:
    """A table of strings as Markdown, columns aligned."""
    rows = [list(table.columns), *table.astype(str).to_numpy().tolist()]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = ["| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows]
    return "\n".join([lines[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *lines[1:]])


def _notes(models: pd.DataFrame) -> list[str]:
    notes = [f"- **{row.model}: leak.** {'; '.join(row.leaks)}." for row in models.itertuples() if row.leaks]
    notes += [f"- **{row.model}: folds missing:** {row.missing_folds}." for row in models.itertuples() if row.missing_folds]
    if models["n_groups"].max() < 4:
        notes.append(f"- {models['n_groups'].max()} groups: an interval over so few means little.")
    return ["\n".join(notes)] if notes else []


def _maps(models: pd.DataFrame, runs: list[dict[str, Any]], folder: Path) -> str:
    model = "strict" if "strict" in set(models["model"]) else str(models["model"].iloc[0])
    run = next(run for run in runs if run["model"] == model)
    paths = sorted((Path(run["folder"]) / "maps").glob("*.png"))[:3]
    pictures = [f"![{path.stem}]({Path(os.path.relpath(path, folder)).as_posix()})" for path in paths]
    return (
        "\n\n".join([f"## Maps ({model}, fold {run['split']['index']}; best and median gene of the section)", *pictures])
        if paths
        else ""
    )
