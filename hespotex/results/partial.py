"""Tables and curves of sections that were measured in part."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from hespotex.common.files import atomic_path
from hespotex.common.spreadsheet import write_csv
from hespotex.results.figures.drawing import panels, save
from hespotex.results.tables.markdown import markdown, number
from hespotex.results.tables.statistics import bootstrap_interval

IMAGE = "image alone"
SPOTS = "spots alone"
NEAREST = "nearest spot"
BOTH = "image and spots"
METHODS = {IMAGE: "#5f6b76", SPOTS: "#c07a00", NEAREST: "#a9b1b8", BOTH: "#1f5fa8"}
FILE = "partial.csv"
LABEL = (
    "Not a prediction without measurement: some spots of each test section itself, or those of a"
    " serial section, were measured and given; the scores are those of the others."
)
WAYS = {
    "random": "spots anywhere",
    "blocks": "four compact patches",
    "half": "one half of the tissue, scored on the other",
    "serial": "all spots of a serial section, carried over by the images",
}
EXPLAINED = (
    "PCC over the hidden spots, mean over genes (0 for a gene that is predicted constant); draws"
    " are averaged in a section, sections in a group, then groups. Spots alone: the same Gaussian"
    " processes about the measured spots' mean, without the image. The gain is that of both over"
    " the better of image alone and spots alone in each section; its interval is a bootstrap over"
    " groups. Above: sections in which both together are above image alone, spots alone and nearest"
    " spot. Coverage: hidden values within 1.96 standard errors of both together (95 % if the error"
    " is right)."
)
HEADER = [
    "given spots lie", "share", "spots given", *METHODS, "gain", "95 % interval of the gain",
    "above", "RMSE image", "RMSE spots", "RMSE both", "coverage",
]  # fmt: skip


def write_partial(folder: Path, rows: pd.DataFrame) -> None:
    """`partial_table.csv`, `partial.md` and `partial.png` of the rows of one run, or of several.

    Args:
        rows: see `hespotex.training.partial`.
    """
    table = summarised(rows)
    with atomic_path(folder / "partial_table.csv") as partial:
        write_csv(table, partial, index=False, float_format="%.6g")
    with atomic_path(folder / "partial.md") as partial:
        partial.write_text(text(table) + halves(rows) + "\n", encoding="utf-8")
    save(curves(table), folder / "partial.png")


def read_partial(homes: list[Path]) -> pd.DataFrame | None:
    """The rows of these runs; None where none gave spots."""
    files = [home / FILE for home in homes if (home / FILE).is_file()]
    return pd.concat([pd.read_csv(file) for file in files], ignore_index=True) if files else None


def summarised(rows: pd.DataFrame) -> pd.DataFrame:
    """One row for each model, fold strategy, way and share."""
    place = ["model", "fold_strategy", "way", "share"]
    return pd.DataFrame(
        [
            dict(zip(place, key, strict=True)) | _summary(rows_of_way)
            for key, rows_of_way in rows.groupby(place, sort=False)
        ]
    )


def _summary(rows: pd.DataFrame) -> dict[str, Any]:
    """Of one way and share."""
    pcc = _by_section(rows, "pcc")
    rmse = _by_section(rows, "rmse").groupby("group").mean().mean()
    gain = pcc[BOTH] - np.maximum(pcc[IMAGE], pcc[SPOTS])
    above = pcc[BOTH] > np.maximum(np.maximum(pcc[IMAGE], pcc[SPOTS]), pcc[NEAREST])
    groups = gain.groupby("group").mean()
    low, high = bootstrap_interval(groups.to_numpy())
    mean = pcc.groupby("group").mean().mean()
    informed = rows[rows["method"] == BOTH]
    return {
        "n_given": float(rows["n_given"].median()),
        **{f"pcc {name}": mean[name] for name in METHODS},
        **{f"rmse {name}": rmse[name] for name in METHODS},
        "gain": float(groups.mean()),
        "low": low,
        "high": high,
        "n_above": int(above.sum()),
        "n_sections": len(pcc),
        "n_groups": len(groups),
        "coverage": float(informed["coverage"].mean()),
    }


def _by_section(rows: pd.DataFrame, score: str) -> pd.DataFrame:
    """Sections down, methods across, mean over draws."""
    return rows.pivot_table(score, ["group", "section_id"], "method", sort=False)


def text(table: pd.DataFrame) -> str:
    """The tables as Markdown, one for each model and fold strategy, with the label above each."""
    paragraphs = ["## Sections measured in part", f"**{LABEL}**", EXPLAINED]
    for (model, strategy), rows in table.groupby(["model", "fold_strategy"], sort=False):
        paragraphs += [f"### {model}, {strategy}", markdown(HEADER, table_rows(rows))]
    return "\n\n".join(paragraphs)


def halves(rows: pd.DataFrame) -> str:
    """Each section and the half of it that was given, at the largest share, as Markdown; empty
    where no halves were given.
    """
    given = rows[rows["way"] == "half"]
    if given.empty or "given" not in given:
        return ""
    most = given[given["share"] == given["share"].max()]
    place = ["model", "fold_strategy", "section_id", "given"]
    table = most.pivot_table("pcc", place, "method")[list(METHODS)].reset_index()
    cells = [
        [str(row[k]) for k in place] + [number(row[m]) for m in METHODS]
        for _, row in table.iterrows()
    ]
    header = ["model", "fold", "section", "given half", *METHODS]
    return f"\n\n### From one half of the tissue to the other\n\n{markdown(header, cells)}"


def table_rows(table: pd.DataFrame) -> list[list[str]]:
    """Cells of `HEADER`."""
    return [
        [
            WAYS.get(row["way"], row["way"]),
            f"{row['share']:.0%}",
            f"{row['n_given']:.0f}",
            *(number(row[f"pcc {name}"]) for name in METHODS),
            number(row["gain"], "+.3f"),
            "one group" if np.isnan(row["low"]) else f"{row['low']:+.3f} to {row['high']:+.3f}",
            f"{row['n_above']} of {row['n_sections']}",
            *(number(row[f"rmse {name}"]) for name in (IMAGE, SPOTS, BOTH)),
            number(row["coverage"], ".1%"),
        ]
        for row in table.to_dict("records")
    ]


def curves(table: pd.DataFrame) -> Any:
    """PCC over the share of measured spots, a panel for each way; of the first model."""
    first = table[(table["model"] == table["model"][0])]
    first = first[first["fold_strategy"] == first["fold_strategy"].iloc[0]]
    several = first.groupby("way")["share"].transform("nunique") > 1
    first = first[several] if several.any() else first
    ways = list(dict.fromkeys(first["way"]))
    figure, axes = panels(len(ways), 4.2 * len(ways), 4.2)
    low = min(0.0, float(first[[f"pcc {name}" for name in METHODS]].min().min()))
    high = float(first[[f"pcc {name}" for name in METHODS]].max().max())
    for axis, way in zip(axes, ways, strict=True):
        rows = first[first["way"] == way]
        for name, colour in METHODS.items():
            above: Any = {"ls": "--", "zorder": 3} if name == IMAGE else {}
            look = {"marker": "o", "color": colour, "label": name, "lw": 2, **above}
            axis.plot(rows["share"], rows[f"pcc {name}"], **look)
        axis.set(xscale="log", ylim=(low - 0.02, high + 0.05), title=WAYS.get(way, way))
        axis.set_xticks(rows["share"], [f"{share:.0%}" for share in rows["share"]], minor=False)
        axis.minorticks_off()
        axis.set_xlabel("share of the section's own spots that is given")
    axes[0].set_ylabel("PCC on the hidden spots, mean over genes")
    axes[0].legend(frameon=False, fontsize=9)
    figure.suptitle(
        f"{first['model'].iloc[0]}, {first['fold_strategy'].iloc[0]}: some spots of each test"
        " section are measured and given",
        fontsize=11,
    )
    return figure
