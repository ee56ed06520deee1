"""Figures of scores, small enough to be read on a phone."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from hespotex.results.html.calibration import Curve
from hespotex.results.tables.aggregate import by_section
from hespotex.results.tables.sweep import Tables

COLOURS = {"model": "#1f5fa8", "baseline": "#5f6b76", "control": "#a9b1b8", "ceiling": "#c07a00"}
MAIN = COLOURS["model"]
THIN = "#c9d3dd"
LINE = "#8a949d"
# inches
WIDTH = 4.7
HEIGHT = 3.5
ROW = 0.32
N_BINS = 60


@dataclass(frozen=True)
class Drawing:
    """A figure with what it shows, in words."""

    name: str
    title: str
    caption: str
    figure: Figure


def drawings(tables: Tables, curves: dict[str, list[Curve]]) -> list[Drawing]:
    """All figures of one fold strategy for which there are numbers; `curves` by section, of the
    main model.
    """
    means = tables.gene_means(tables.main)
    drawn = [_by_section(tables), _by_gene(tables)]
    if curves:
        drawn += [_calibration(curves, 0), _calibration(curves, 1)]
    pairs: list[tuple[tuple[str, str], Callable[[pd.DataFrame, str], Drawing]]] = [
        (("mean_measured", "variance_ratio"), _variance),
        (("moran_measured", "moran_predicted"), _moran),
    ]
    for columns, draw in pairs:
        if set(columns) <= set(means):
            complete = means[[*columns]].dropna()
            drawn += [draw(complete, tables.main)] if len(complete) else []
    return drawn


def _axes(height: float = HEIGHT) -> tuple[Figure, Any]:
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    axis = figure.subplots()
    axis.spines[["top", "right"]].set_visible(False)
    axis.tick_params(length=3, labelsize=9)
    return figure, axis


def _model_rows(tables: Tables) -> tuple[Figure, Any, list[tuple[int, dict[str, Any]]]]:
    """Axes with one row a model, the best on top."""
    rows = list(enumerate(tables.models.to_dict("records")))
    figure, axis = _axes(1.0 + ROW * len(rows))
    axis.set_yticks([i for i, _ in rows], [str(row["model"]) for _, row in rows])
    axis.set_ylim(len(rows) - 0.4, -0.8)
    axis.axvline(0, color=LINE, lw=0.8, zorder=0)
    axis.set_xlabel("Pearson correlation (PCC)", fontsize=9)
    return figure, axis, rows  # type: ignore[return-value]


def _by_section(tables: Tables) -> Drawing:
    figure, axis, rows = _model_rows(tables)
    for i, row in rows:
        colour = COLOURS[row["role"]]
        pcc = by_section(tables.sections, row["model"])["pcc_gene"]
        axis.plot(
            pcc,
            np.full(len(pcc), i),
            "o",
            color=colour,
            alpha=0.45,
            markersize=5,
            markeredgewidth=0,
        )
        axis.plot([row["low"], row["high"]], [i, i], color=colour, lw=2)
        axis.plot(
            row["pcc_gene"],
            i,
            "D",
            color=colour,
            markersize=6,
            markeredgecolor="white",
            markeredgewidth=0.8,
        )
    caption = (
        "Dots: test sections, mean over genes. Diamond and bar: mean over groups and its 95 %"
        " interval."
    )
    return Drawing("sections", "PCC of test sections", caption, figure)


def _by_gene(tables: Tables) -> Drawing:
    figure, axis, rows = _model_rows(tables)
    pcc = {
        row["model"]: tables.genes[tables.genes["model"] == row["model"]]["pcc"].dropna()
        for _, row in rows
    }
    every = np.concatenate([np.zeros(1), *pcc.values()])
    edges = np.linspace(every.min() - 0.01, every.max() + 0.01, N_BINS + 1)
    for i, row in rows:
        values = pcc[row["model"]]
        if values.empty:
            continue
        counts = np.histogram(values, edges)[0]
        axis.stairs(
            i - 0.85 * counts / counts.max(),
            edges,
            baseline=i,
            fill=True,
            color=COLOURS[row["role"]],
            alpha=0.75,
        )
        axis.plot([values.median()] * 2, [i - 0.85, i], color="black", lw=1.2)
    caption = (
        "Histograms of the genes' mean PCC over sections, each scaled to its highest bar. Line:"
        " median gene."
    )
    return Drawing("genes", "PCC of genes", caption, figure)


LEVELS = ("values", "differences")


def _calibration(curves: dict[str, list[Curve]], which: int) -> Drawing:
    figure, axis = _axes()
    low = np.inf
    high = -np.inf
    for predicted, measured in (pair[which] for pair in curves.values()):
        axis.plot(predicted, measured, "-o", color=MAIN, lw=1, markersize=3, alpha=0.6)
        low = min(low, predicted.min(), measured.min())
        high = max(high, predicted.max(), measured.max())
    axis.plot([low, high], [low, high], color=LINE, lw=0.8, ls="--", zorder=0)
    suffix = "" if which == 0 else ", less the gene's mean"
    axis.set_xlabel(f"predicted{suffix}", fontsize=9)
    axis.set_ylabel(f"measured{suffix}", fontsize=9)
    text = (
        "Mean measured in bins of equal size of the predicted value, all genes together; a line a"
        " section. Dashed: perfect."
    )
    if which == 1:
        text = (
            "The same less each gene's mean in the section: how far a predicted difference between"
            " spots holds."
        )
    return Drawing(f"calibration_{LEVELS[which]}", f"Calibration of {LEVELS[which]}", text, figure)


def _scatter(axis: Any, x: pd.Series, y: pd.Series) -> None:
    axis.plot(
        x, y, "o", color=MAIN, markersize=3, alpha=0.4, markeredgewidth=0, rasterized=len(x) > 1500
    )


def _variance(means: pd.DataFrame, model: str) -> Drawing:
    figure, axis = _axes()
    positive = means[means["variance_ratio"] > 0]
    _scatter(axis, positive["mean_measured"], positive["variance_ratio"])
    axis.set_yscale("log")
    axis.axhline(1, color=LINE, lw=0.8, ls="--", zorder=0)
    axis.set_xlabel("mean measured expression", fontsize=9)
    axis.set_ylabel("variance, predicted : measured", fontsize=9)
    caption = (
        f"A dot a gene, {model}. At 1 a prediction spreads as the truth does; far below, it has"
        " collapsed to the mean."
    )
    return Drawing("variance_ratio", "Variance ratio", caption, figure)


def _moran(means: pd.DataFrame, model: str) -> Drawing:
    figure, axis = _axes()
    _scatter(axis, means["moran_measured"], means["moran_predicted"])
    ends = [means.to_numpy().min(), means.to_numpy().max()]
    axis.plot(ends, ends, color=LINE, lw=0.8, ls="--", zorder=0)
    axis.set_xlabel("Moran's I, measured", fontsize=9)
    axis.set_ylabel("Moran's I, predicted", fontsize=9)
    caption = (
        f"A dot a gene, {model}. Above the dashed line, a predicted map is smoother than the"
        " measured one."
    )
    return Drawing("moran", "Spatial autocorrelation", caption, figure)
